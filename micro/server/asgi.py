"""gunicorn's asgi worker for the bridge: with the time limits it lacks, and a heartbeat until its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from micro.server.bridge import Bridge
from micro.server.connection import Connection

_TICK_SECONDS = 0.5
_IDLE_SECONDS_AT_STOP = 2.0
_ACCEPTING_SECONDS = 0.05


class BridgeWorker(ASGIWorker):  # type: ignore[misc]
    """Serves a ``Bridge``, in as many threads as ``gunicorn.threads`` says.

    gunicorn closes a connection whose next request does not come within ``keepalive`` seconds, but waits
    for the first one for ever. Its worker looks once a second whether it is to stop. And it gives no sign
    of life while it stops, so that one which finishes long runs would be killed for its silence.
    """

    asgi: Bridge

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: dict[Connection, float] = {}
        self._serving: asyncio.Task[None] | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Accept threads, which gunicorn's own worker warns of."""

    def init_signals(self) -> None:
        """Let the main thread, which only waits, take the signals: not every event loop would, in others."""
        for number in self.SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for number, handle in self._handlers().items():
            signal.signal(number, partial(self._tell, handle))

    def _handlers(self) -> dict[signal.Signals, Callable[[], None]]:
        return {
            signal.SIGTERM: self.handle_exit_signal,
            signal.SIGQUIT: self.handle_quit_signal,
            signal.SIGINT: self.handle_quit_signal,
            signal.SIGUSR1: self.handle_usr1_signal,
            signal.SIGWINCH: self.handle_winch_signal,
            signal.SIGABRT: self.handle_abort_signal,
        }

    def _tell(self, handle: Callable[[], None], *_: object) -> None:
        # The loop is closed at the end.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(handle)

    def run(self) -> None:
        """Serve until told to stop."""
        self._use_own_connections()
        self.loop.run_until_complete = self.asgi.lead(self.loop).run_until_complete
        self.loop.create_task(self._watch())
        super().run()

    def handle_exit_signal(self) -> None:
        """Stop, and not only when the loop looks next; before it has begun to serve it looks soon."""
        serves = self.alive and len(self.servers) == len(self.sockets)
        super().handle_exit_signal()
        if serves and self._serving:
            self.asgi.stop(self.cfg.graceful_timeout)
            self._serving.cancel()

    async def _serve(self) -> None:
        self._serving = asyncio.current_task()
        await super()._serve()

    async def _shutdown(self) -> None:
        for server in self.servers:
            for socket in server.sockets:
                # uvloop has its own way to accept.
                with suppress(RuntimeError):
                    self.loop.remove_reader(socket.fileno())
        # What was accepted becomes a connection that is counted, and waited for, some turns of the loop
        # later; asyncio drops it if the server has been closed by then.
        await asyncio.sleep(_ACCEPTING_SECONDS)
        await super()._shutdown()

    def _use_own_connections(self) -> None:
        # A subclass would note for itself whether gunicorn's parser in C is installed, where nobody looks.
        ASGIProtocol._check_h1c_protocol_available()
        create_server = self.loop.create_server

        def create(_factory: object, **options: Any) -> Any:
            return create_server(lambda: Connection(self), **options)

        self.loop.create_server = create

    async def _watch(self) -> None:
        while self.alive:
            # gunicorn's worker does so once a second, and so dies at random where its time is a second.
            self.notify()
            self._close_silent(self.loop.time() - self.asgi.limits.head_seconds)
            await asyncio.sleep(_TICK_SECONDS)
        self.asgi.stop(self.cfg.graceful_timeout)
        await self._watch_stop(self.loop.time() + _IDLE_SECONDS_AT_STOP)

    async def _watch_stop(self, patience: float) -> None:
        while True:
            self.notify()
            # Until then, what is on its way over an open connection is still answered.
            if self.loop.time() > patience:
                for each in list(self.connections):
                    each.close_if_waiting()
            await asyncio.sleep(_TICK_SECONDS)

    def _close_silent(self, since: float) -> None:
        """Close the connections that are older and have not sent a request."""
        for each, opened in list(self.connections.items()):
            if opened > since:
                # They are in the order in which they were opened.
                return
            if each.req_count <= 1:
                each.close_if_waiting()
