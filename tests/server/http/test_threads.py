"""Functions in threads, for an event loop."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from micro.server.http.threads import ThreadPool


def test_a_function_gives_its_result_or_its_error() -> None:
    async def main() -> None:
        pool = ThreadPool(1)
        assert await pool.run(lambda: 1) == 1
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        assert await pool.close()

    asyncio.run(main())


def test_threads_are_started_as_they_are_needed_and_ended() -> None:
    async def main() -> None:
        before = threading.active_count()
        pool = ThreadPool(4)
        for _ in range(10):
            await pool.run(lambda: None)
        assert threading.active_count() == before + 1
        await asyncio.gather(*(pool.run(lambda: None) for _ in range(10)))
        assert threading.active_count() == before + 4
        assert await pool.close()
        assert threading.active_count() == before

    asyncio.run(main())


def test_functions_that_block_run_at_once() -> None:
    together = threading.Barrier(8)

    async def main() -> None:
        pool = ThreadPool(8)
        for _ in range(20):
            # None gets on before all have come.
            await asyncio.gather(*(pool.run(lambda: together.wait(8)) for _ in range(8)))
        assert await pool.close()

    asyncio.run(main())


def test_more_functions_than_threads_all_run() -> None:
    async def main() -> None:
        pool = ThreadPool(3)
        squares = await asyncio.gather(*(pool.run(lambda n=n: n * n) for n in range(1000)))
        assert squares == [n * n for n in range(1000)]
        assert await pool.close()

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(4))
def test_no_wake_up_is_lost_when_threads_change_at_every_moment(seed: int) -> None:
    random = Random(seed)
    functions = [lambda: None, lambda: sum(range(1000)), lambda: time.sleep(0.0005)]

    async def main() -> None:
        pool = ThreadPool(random.choice((2, 3, 8)))
        for _ in range(60):
            runs = [pool.run(random.choice(functions)) for _ in range(random.randrange(1, 30))]
            async with asyncio.timeout(8):
                await asyncio.gather(*runs)
        assert await pool.close()

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        asyncio.run(main())
    finally:
        sys.setswitchinterval(usual)


def test_a_cancelled_function_runs_and_its_error_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise ValueError("nobody waits for this")

    async def main() -> None:
        pool = ThreadPool(1)
        for function in (fail, lambda: None):
            pool.run(function).cancel()
        assert await pool.close()

    asyncio.run(main())
    assert "nobody waits for this" in caplog.text


def test_closing_waits_no_longer_than_told() -> None:
    event = threading.Event()

    async def main() -> None:
        pool = ThreadPool(1)
        pool.run(event.wait)
        assert not await pool.close(asyncio.get_running_loop().time() + 0.01)

    asyncio.run(main())
    # The loop is gone when it returns.
    event.set()
    _join_pool_threads()


def test_an_idle_thread_keeps_nothing_of_what_it_ran() -> None:
    class Thing:
        pass

    async def main() -> None:
        pool = ThreadPool(1)
        thing = Thing()
        seen = weakref.ref(thing)
        await pool.run(_returning(thing))
        del thing
        await pool.run(lambda: None)
        assert seen() is None
        assert await pool.close()

    asyncio.run(main())


def _returning(value: Any) -> Callable[[], Any]:
    return lambda: value


def _join_pool_threads() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("pool-"):
            thread.join(8)
            assert not thread.is_alive()
