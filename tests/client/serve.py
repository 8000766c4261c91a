"""One process of a service for the client's tests: ``serve.py rest|worker SETTINGS``."""

from __future__ import annotations

import sys
from pathlib import Path

from celery import signals
from werkzeug.serving import make_server

from micro.api.desk import Desk
from micro.api.rest import create_app
from micro.jobs.queue import make_celery
from micro.jobs.service import Jobs
from micro.layers import restore_settings
from micro.server import worker
from micro.server.child import Role
from micro.service import Micro
from micro.settings import Settings


def serve_rest(settings: Settings) -> None:
    server = make_server("127.0.0.1", 0, create_app(settings), threaded=True)
    (settings.pid_folder_path / "rest.port").write_text(str(server.port))
    server.serve_forever()


def serve_worker(settings: Settings) -> None:
    desk = Desk(make_celery(settings), Jobs(Micro(settings)))
    signals.worker_ready.connect(lambda **_: desk.start(), weak=False)
    signals.worker_shutdown.connect(lambda **_: desk.stop(), weak=False)
    raise SystemExit(worker.main(settings, Role("worker1")))


if __name__ == "__main__":
    verb, file = sys.argv[1:]
    {"rest": serve_rest, "worker": serve_worker}[verb](restore_settings(Path(file).read_text()))
