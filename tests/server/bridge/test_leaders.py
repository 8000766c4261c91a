"""Calls that the thread which runs the event loop makes itself, until one of them takes too long."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future as AnyFuture
from random import Random
from typing import Any

import pytest

from micro.server.leaders import Leaders
from micro.server.pool import Pool

SECONDS = 8


class Led:
    """A loop with its leaders."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.pool = Pool(4)
        self.leaders = Leaders(self.loop)

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self.leaders.run_until_complete(coroutine)

    async def make(self, function: Any) -> Any:
        return await asyncio.wait_for(self.leaders.run(function, self.pool), SECONDS)


@pytest.fixture
def led() -> Iterator[Led]:
    led = Led()
    yield led
    led.run(led.pool.close())
    led.loop.close()


def test_the_thread_that_runs_the_loop_makes_the_call(led: Led) -> None:
    async def main() -> None:
        assert await led.make(threading.get_ident) == threading.get_ident()

    led.run(main())


def test_no_loop_runs_in_the_thread_meanwhile(led: Led) -> None:
    async def answer() -> int:
        return 42

    async def main() -> None:
        # A plugin whose run() is a coroutine is called so.
        assert await led.make(lambda: asyncio.run(answer())) == 42

    led.run(main())


def test_a_call_gives_its_error(led: Led) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await led.make(lambda: 1 / 0)
        with pytest.raises(SystemExit):
            await led.make(lambda: exec("raise SystemExit(3)"))

    led.run(main())


def test_calls_are_made_in_their_order(led: Led) -> None:
    order: list[int] = []

    async def main() -> None:
        await asyncio.gather(*(led.make(lambda each=each: order.append(each)) for each in range(50)))

    led.run(main())
    assert order == list(range(50))


def test_a_long_call_does_not_keep_the_loop(led: Led) -> None:
    gate = threading.Event()

    async def main() -> tuple[int, int]:
        before = threading.get_ident()
        late = asyncio.ensure_future(led.make(lambda: (gate.wait(SECONDS), threading.get_ident())))
        for _ in range(20):
            await asyncio.sleep(0.001)
        # The call has kept its thread, and the loop has another one.
        assert threading.get_ident() != before and not late.done()
        assert await led.make(threading.get_ident) == threading.get_ident()
        gate.set()
        assert await late == (True, before)
        return before, threading.get_ident()

    first, second = led.run(main())
    assert first != second


def test_nothing_is_kept_of_a_long_call_that_has_ended(led: Led) -> None:
    gate = threading.Event()

    class Answer:
        pass

    def answer() -> Answer:
        gate.wait(SECONDS)
        return Answer()

    async def main() -> bool:
        late = led.leaders.run(answer, led.pool)
        for _ in range(20):
            await asyncio.sleep(0.001)
        gate.set()
        kept = weakref.ref(await late)
        del late
        deadline = led.loop.time() + SECONDS
        while kept() and led.loop.time() < deadline:
            await asyncio.sleep(0.01)
        return kept() is None

    assert led.run(main())


def test_calls_that_waited_for_a_long_one_go_to_the_pool(led: Led) -> None:
    gate = threading.Event()

    async def main() -> None:
        calls = [led.make(lambda: gate.wait(SECONDS))]
        calls += [led.make(lambda: threading.current_thread().name) for _ in range(3)]
        late, *others = (asyncio.ensure_future(each) for each in calls)
        assert {(await each).partition("-")[0] for each in others} == {"pool"}
        gate.set()
        assert await late

    led.run(main())


def test_a_call_that_waited_goes_to_the_pool_it_is_of(led: Led) -> None:
    gate = threading.Event()
    apart = Pool(1)

    async def main() -> None:
        # The pool has no thread left, as when many runs go on.
        full = [led.pool.run(lambda: gate.wait(SECONDS)) for _ in range(led.pool.size)]
        late = led.leaders.run(lambda: gate.wait(SECONDS), led.pool)
        probe = led.leaders.run(lambda: "alive", apart)
        assert await asyncio.wait_for(probe, SECONDS / 2) == "alive"
        gate.set()
        assert all(await asyncio.gather(late, *full))
        await apart.close()

    led.run(main())


def test_a_call_may_wait_for_the_loop_itself(led: Led) -> None:
    async def answer() -> int:
        return 42

    def ask() -> int:
        asked: AnyFuture[int] = asyncio.run_coroutine_threadsafe(answer(), led.loop)
        return asked.result(SECONDS)

    async def main() -> None:
        assert await led.make(ask) == 42

    led.run(main())


def test_a_call_that_does_not_end_does_not_keep_the_process(led: Led) -> None:
    gate = threading.Event()

    async def main() -> str:
        led.leaders.run(lambda: gate.wait(SECONDS), led.pool)
        await asyncio.sleep(0.05)
        return "ended"

    assert led.run(main()) == "ended"
    gate.set()


def test_the_pool_waits_at_its_end_for_a_late_call(led: Led) -> None:
    ended = threading.Event()

    def late() -> None:
        threading.Event().wait(0.05)
        ended.set()

    async def main() -> None:
        led.leaders.run(late, led.pool)
        await led.pool.close()
        assert ended.is_set()

    led.run(main())


def test_what_ends_a_loop_reaches_who_waits(led: Led) -> None:
    def end() -> None:
        raise SystemExit(3)

    async def main() -> None:
        led.loop.call_soon(end)
        await asyncio.sleep(SECONDS)

    with pytest.raises(SystemExit):
        led.run(main())


def test_an_error_of_the_coroutine_is_raised(led: Led) -> None:
    async def main() -> None:
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        led.run(main())


@pytest.mark.parametrize("seed", range(3))
def test_one_thread_at_a_time_runs_the_loop(led: Led, seed: int) -> None:
    random = Random(seed)
    inside = threading.Lock()

    def pause(seconds: float) -> float:
        threading.Event().wait(seconds)
        return seconds

    async def call() -> None:
        for _ in range(40):
            assert inside.acquire(blocking=False), "two threads run the loop"
            inside.release()
            # About the time after which a call is late: now it ends first, now it is taken over.
            seconds = random.choice((0, 0, 0, 0.004, 0.006, 0.01))
            assert await led.make(lambda seconds=seconds: pause(seconds)) == seconds

    async def main() -> None:
        await asyncio.gather(*(call() for _ in range(4)))

    led.run(main())


def test_the_loop_can_be_run_again(led: Led) -> None:
    async def main() -> int:
        return await led.make(lambda: 42)  # type: ignore[no-any-return]

    assert [led.run(main()) for _ in range(3)] == [42, 42, 42]


def test_the_threads_end_with_the_loop() -> None:
    led = Led()
    led.run(asyncio.sleep(0.02))
    led.loop.close()
    # The last one may be on its last line.
    for thread in _threads_of(led):
        thread.join(SECONDS)
    assert not _threads_of(led)


def _threads_of(led: Led) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if getattr(each, "_target", None) in _targets(led)]


def _targets(led: Led) -> list[object]:
    return [led.leaders._lead, led.leaders._watch]
