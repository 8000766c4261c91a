"""Whatever Micro shows or logs, at DEBUG too, has no password, no key and no secret parameter in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from micro.client import connect
from micro.errors import MicroError

KEY = "an-api-key-nobody-may-see"
DATABASE = "a-password-for-jobs"
PARAMETER = "s3cret-parameter"
PLUGIN = """
from pydantic import SecretStr
from micro import PluginBase, PluginDescription

class Login(PluginBase):
    def run(self, password: SecretStr, fail: bool = False, user: str = ""):
        if fail:
            raise RuntimeError(f"cannot log in with {password}")
        return {"length": len(password.get_secret_value())}

plugin = PluginDescription(name="Login")
"""
CALLS: tuple[dict[str, Any], ...] = (
    {"password": PARAMETER},
    {"password": PARAMETER, "fail": True},
    {"password": PARAMETER, "user": 7},
    {"password": [PARAMETER]},
)


def attempt(call: Callable[[], Any]) -> str:
    """Return what the caller is told, be it the error."""
    try:
        return json.dumps(call())
    except MicroError as err:
        return f"{err.message} {err}"


def test_secrets_are_shown_nowhere(
    start_micro: Callable[..., Any],
    run_micro: Callable[..., Any],
    own_database: Any,
    tmp_path: Path,
) -> None:
    (tmp_path / "plugins" / "login").mkdir(parents=True)
    (tmp_path / "plugins" / "login" / "interface.py").write_text(PLUGIN)
    env = {
        "MICRO_API_KEYS": f"caller:{KEY}",
        "MICRO_JOBS_URL": own_database.url.replace("postgres@", f"postgres:{DATABASE}@"),
        "MICRO_LOG_LEVEL": "DEBUG",
    }
    micro = start_micro("-G", "-C", "-p", str(tmp_path / "plugins"), **env)
    told: list[str] = []
    run = micro.requests().run
    with connect(micro.url, api_key=KEY) as client:
        for params in CALLS:
            told += [attempt(lambda params=params: client.run("Login", **params))]
            told += [attempt(lambda params=params: client.submit("Login", **params).result(timeout=30))]
            told += [attempt(lambda params=params: run.delay("Login", **params).get(timeout=30))]
        told += [json.dumps(job.details) for job in client.jobs()]
        told += [json.dumps([event.data for event in job.events()]) for job in client.jobs()]
    commands = (("config",), ("jobs", "list", "--json"), ("status", "--json"), ("status",), ("plugins",))
    with ThreadPoolExecutor() as pool:
        ask = partial(run_micro, **env, MICRO_PID_FOLDER_PATH=str(micro.pids))
        for done in pool.map(lambda words: ask(*words), commands):
            told += [done.stdout, done.stderr]
    assert micro.stop() == 0
    said = [*told, micro.output(), micro.log.read_text()]
    for secret in (KEY, DATABASE, PARAMETER):
        found = [text for text in said if secret in text]
        lines = [line for text in found for line in text.splitlines() if secret in line]
        assert lines == []
    assert "Traceback" in micro.output()
