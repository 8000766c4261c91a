"""One process of a service for the client's tests: ``serve.py rest|worker SETTINGS``."""

from __future__ import annotations

import sys
from pathlib import Path

from werkzeug.serving import make_server

from micro.api.rest import create_app
from micro.config.loading import restore_settings
from micro.config.settings import Settings
from micro.server import worker
from micro.server.child import Role


def serve_rest(settings: Settings) -> None:
    server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
    (settings.pid_folder_path / "rest.port").write_text(str(server.port))
    server.serve_forever()


def serve_worker(settings: Settings) -> None:
    raise SystemExit(worker.main(settings, Role("worker1")))


if __name__ == "__main__":
    verb, file = sys.argv[1:]
    {"rest": serve_rest, "worker": serve_worker}[verb](restore_settings(Path(file).read_text()))
