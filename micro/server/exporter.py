"""Serves /metrics at an address of its own, for a Micro without REST."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from micro.service import Micro
from micro.telemetry.metric_files import FOLDER_VARIABLE, MetricFiles

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

log = logging.getLogger(__name__)

# The node before this one frees the address when it stops, which may be after this one is ready.
_PAUSE_SECONDS = 0.2
_LATE_SECONDS = 2.0


class Exporter:
    """Shows the runs of all processes of its Micro, with prometheus-client's own server."""

    def __init__(self, bind: str, micro: Micro, folder: Path) -> None:
        self._bind, self._micro, self._files = bind, micro, MetricFiles(folder)
        self._stopping = threading.Event()
        self._server: WSGIServer | None = None
        self._thread = threading.Thread(target=self._open, name="exporter", daemon=True)

    def start(self) -> None:
        """Start to serve as soon as the address is free."""
        self._thread.start()

    def stop(self) -> None:
        """Stop to serve, and free the address."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _open(self) -> None:
        late = time.monotonic() + _LATE_SECONDS
        while not self._stopping.is_set():
            try:
                self._server = self._serve()
            except OSError as err:
                if time.monotonic() > late:
                    log.error("Metrics cannot be served at %s: %s", self._bind, err)
                    late = float("inf")
                self._stopping.wait(_PAUSE_SECONDS)
            else:
                return

    def _serve(self) -> WSGIServer:
        # Imported late: most nodes serve no metrics.
        from prometheus_client import start_http_server

        from micro.api.rest.exposition import ServiceCollector, make_registry

        registry = make_registry(self._files, ServiceCollector(self._micro, lambda: None))
        host, _, port = self._bind.rpartition(":")
        server, _thread = start_http_server(int(port), host.strip("[]"), registry)
        # A pool process that outlives the node must not keep the socket open without answering.
        os.register_at_fork(after_in_child=server.socket.close)
        return server


def open_exporter(micro: Micro) -> Exporter | None:
    """Return an exporter, not started yet, or None if ``metrics_bind`` or ``metrics`` is not set."""
    folder, bind = os.environ.get(FOLDER_VARIABLE), micro.settings.metrics_bind
    if not bind or not folder or not micro.settings.metrics:
        return None
    return Exporter(bind, micro, Path(folder))
