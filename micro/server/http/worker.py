"""The gunicorn worker that serves the bridge: uvicorn's, with graceful shutdown and gunicorn's settings."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar

from gunicorn.arbiter import Arbiter
from gunicorn.sock import ssl_context
from gunicorn.workers.base import Worker
from uvicorn import Config, Server
from uvicorn_worker import UvicornWorker

from micro.server.http.access_log import AccessLog
from micro.server.http.bridge import Bridge
from micro.server.http.protocols import HeadLimits, HttpProtocol, RefuseWebSocket
from micro.server.supervisor.signals import keep_from_children

_ACCEPTING_SECONDS = 0.05
_MOST_HEARTBEAT_SECONDS = 1.0

IGNORED = frozenset(
    [
        "asgi_loop",
        "asgi_lifespan",
        "asgi_disconnect_grace_period",
        "worker_connections",
        "websocket_max_message_size",
        "http_parser",
        "sendfile",
        "tmp_upload_dir",
        "secure_scheme_headers",
        "proxy_protocol",
        "proxy_allow_ips",
        "protocol",
        "uwsgi_allow_ips",
        "permit_obsolete_folding",
        "strip_header_spaces",
        "permit_unconventional_http_method",
        "permit_unconventional_http_version",
        "casefold_http_method",
        "forwarder_headers",
        "header_map",
        "suppress_ragged_eofs",
        "do_handshake_on_connect",
        "ssl_version",
        "http_protocols",
        "http2_cleartext",
        "http2_max_concurrent_streams",
        "http2_initial_window_size",
        "http2_max_frame_size",
        "http2_max_header_list_size",
        "spew",
    ]
)
"""Settings of gunicorn that have no effect with this worker."""


class BridgeWorker(UvicornWorker):  # type: ignore[misc]
    """Serves a ``Bridge`` with uvicorn, in as many threads as ``gunicorn.threads`` says."""

    CONFIG_KWARGS: ClassVar[dict[str, Any]] = {
        "loop": "auto",
        "ws": RefuseWebSocket,
        "lifespan": "on",
        "interface": "asgi3",
        "access_log": False,
        "server_header": False,
        # gunicorn's arbiter gets its sign of life from a task of this worker's.
        "callback_notify": None,
    }

    config: Config
    wsgi: Bridge

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        _use_handlers_of(self.log.error_log, "uvicorn.error")
        self.server = GracefulServer(self.config, self)
        self.config.http = partial(HttpProtocol, limits=self.head_limits())  # type: ignore[assignment]
        self.config.timeout_graceful_shutdown = self.cfg.graceful_timeout
        if self.cfg.is_ssl:
            self.config.ssl_context_factory = lambda _config, _default: ssl_context(self.cfg)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Accept ``threads``, about which gunicorn warns for workers that it does not know."""

    def init_signals(self) -> None:
        """Install gunicorn's handlers: uvicorn raises SIGTERM again at its end, and must not die of it."""
        Worker.init_signals(self)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop gracefully, also when uvicorn has not installed its own handler yet."""
        super().handle_exit(sig, frame)
        self.server.should_exit = True

    def run(self) -> None:
        """Serve until told to stop."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self._run_server())

    def head_limits(self) -> HeadLimits:
        """Return gunicorn's limits for the head of a request."""
        return HeadLimits(
            line=self.cfg.limit_request_line,
            fields=self.cfg.limit_request_fields,
            field=self.cfg.limit_request_field_size,
        )

    async def _run_server(self) -> None:
        self.config.app = AccessLog(self.wsgi, self.log) if self.log.access_log_enabled else self.wsgi
        asyncio.get_running_loop().add_signal_handler(signal.SIGQUIT, self.server.stop_at_once)
        heartbeat = asyncio.create_task(self._send_heartbeats())
        await self.server.serve(sockets=self.sockets)
        heartbeat.cancel()
        if not self.server.started:
            sys.exit(Arbiter.WORKER_BOOT_ERROR)

    async def _send_heartbeats(self) -> None:
        """Show the arbiter that the event loop runs, also during a long graceful shutdown."""
        # Workers are given half of gunicorn's timeout; 0 means none.
        pause = min(self.timeout / 2, _MOST_HEARTBEAT_SECONDS) or _MOST_HEARTBEAT_SECONDS
        while True:
            self.notify()
            if os.getppid() != self.ppid:
                self.log.info("Parent changed, shutting down: %s", self)
                self.server.should_exit = True
            await asyncio.sleep(pause)


class GracefulServer(Server):
    """Ends streams that pause and loses no connection that was accepted, when the server stops."""

    def __init__(self, config: Config, worker: BridgeWorker) -> None:
        super().__init__(config)
        self.worker = worker

    def stop_at_once(self) -> None:
        """Stop without waiting for what runs."""
        self.force_exit = self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve; uvicorn has installed its handlers of signals by now."""
        await super().startup(sockets)
        keep_from_children(self.worker.SIGNALS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was accepted, then stop."""
        self.worker.alive = False
        self.worker.wsgi.stop(self.worker.cfg.graceful_timeout)
        self._stop_accepting(asyncio.get_running_loop())
        # A connection that was accepted is known to the server only some turns of the loop later.
        await asyncio.sleep(_ACCEPTING_SECONDS)
        await super().shutdown(sockets)

    def _stop_accepting(self, loop: asyncio.AbstractEventLoop) -> None:
        for server in self.servers:
            for listener in server.sockets:
                # uvloop accepts in its own way, and refuses this.
                with suppress(RuntimeError):
                    loop.remove_reader(listener.fileno())


def _use_handlers_of(source: logging.Logger, name: str) -> None:
    logger = logging.getLogger(name)
    logger.handlers = source.handlers
    logger.propagate = source.propagate
