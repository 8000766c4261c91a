from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from micro.config.redaction import MASK
from micro.config.settings import table

Run = Callable[..., Result]


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    sections = {
        "gunicorn": {"timeout": 60, "cors": {"origins": "*"}},
        "celery": {
            "broker_url": "amqp://user:sesame@host//",
            "result_backend": "db+postgresql://user:sesame@host/db",
            "redis_password": "sesame",
            "broker_transport_options": {"sentinel_kwargs": {"password": "sesame"}},
        },
        "micro": {"celery": True},
    }
    path.write_text(json.dumps(sections))
    return str(path)


def test_every_setting_is_shown_with_its_value_and_its_source(run: Run, file: str) -> None:
    result = run("-c", file, "config", "--json", "-gw", "3", MICRO_HOSTNAME="here")
    rows = {row["setting"]: (row["value"], row["source"]) for row in json.loads(result.stdout)}
    assert rows.keys() >= {each.name for each in table()}
    assert rows["gunicorn_workers"] == (3, "command line")
    assert rows["hostname"] == ("here", "MICRO_HOSTNAME")
    assert rows["celery"] == (True, f"file {file}")
    assert rows["bind"] == ("127.0.0.1:8000", "default")
    assert rows["gunicorn.timeout"] == (60, f"file {file}")
    assert rows["gunicorn.cors"] == ({"origins": "*"}, f"file {file}")


def test_the_table_writes_the_values_as_the_file_does(run: Run, file: str) -> None:
    lines = {tuple(line.split()) for line in run("-c", file, "config").stdout.splitlines()}
    assert ("gunicorn", "false", "default") in lines
    assert ("celery", "true", "file", file) in lines
    assert ("gunicorn.cors", '{"origins":', '"*"}', "file", file) in lines
    assert ("load_plugins", "null", "default") in lines


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_secrets_are_masked(run: Run, file: str, form: list[str]) -> None:
    shown = run("-c", file, "config", *form).stdout
    assert "sesame" not in shown
    assert f"amqp://user:{MASK}@host//" in shown
    assert f"db+postgresql://user:{MASK}@host/db" in shown
