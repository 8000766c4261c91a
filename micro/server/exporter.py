"""GET /metrics at an address of its own, for a Micro that serves no REST."""

from __future__ import annotations

import logging
import os
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from micro.api.exposition import ServiceCollector, render
from micro.api.metric_files import FOLDER_VARIABLE, MetricFiles
from micro.service import Micro

log = logging.getLogger(__name__)


class Exporter(ThreadingHTTPServer):
    """Shows the runs of all processes of its Micro; each node has one, all at the same address."""

    daemon_threads = True

    def __init__(self, bind: str, micro: Micro, folder: Path) -> None:
        host, _, port = bind.rpartition(":")
        self.files, self.service = MetricFiles(folder), ServiceCollector(micro, lambda: None)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), int(port)), _Handler, bind_and_activate=False)
        # A node that is to take over from another listens before that one ends.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.server_bind()
        self.server_activate()
        # A process of the pool that outlives the node must not keep the socket open, and silent.
        os.register_at_fork(after_in_child=self.socket.close)
        self._thread = threading.Thread(target=self.serve_forever, name="exporter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Exporter
    # A client that sends nothing must not keep its thread.
    timeout = 10

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        page, content_type = render(self.server.files, self.server.service, self.headers.get("Accept", ""))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)


def open_exporter(micro: Micro) -> Exporter | None:
    """Listen where the settings say; None where they say nothing, or it is not possible."""
    folder, bind = os.environ.get(FOLDER_VARIABLE), micro.settings.metrics_bind
    if not bind or not folder or not micro.settings.metrics:
        return None
    try:
        return Exporter(bind, micro, Path(folder))
    except OSError as err:
        log.error("Metrics cannot be served at %s: %s", bind, err)
        return None
