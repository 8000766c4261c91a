from __future__ import annotations

import subprocess
import sys

LOADS = """
import socket, sys
from micro.jobs.stats import Backlog
from micro.jobs.service import Jobs
from micro.config.loading import load_settings
from micro.plugin.hook_manager import create_hook_manager
from micro.plugin.plugin import Plugins
from micro.service import Micro

def refuse(*args, **kwargs):
    raise AssertionError("connected")

socket.socket.connect = refuse
settings = load_settings({"broker_url": sys.argv[1]}, {})
backlog = Backlog(lambda: Jobs(Micro(settings, Plugins(create_hook_manager()))))
backlog.load()
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_what_asking_needs_is_imported_before_its_time_runs() -> None:
    wanted = ["celery", "kombu.transport.redis", "redis", "sqlalchemy"]
    code = [sys.executable, "-c", LOADS, "redis://127.0.0.1:1/0", *wanted]
    loaded = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True).stdout
    assert loaded.split() == wanted
