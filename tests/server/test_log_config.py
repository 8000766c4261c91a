from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from micro.config.loading import load_settings
from micro.correlation import Call, working_for
from micro.errors import ConfigError
from micro.plugin.context import RunContext
from micro.server.log_config import json_line, make_formatter
from micro.service import Micro

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CALL = Call("order-7", TRACE, None, "Example", "job-1")
Lines = Callable[[str], list[str]]


def _record(message: str = "it is %s", args: tuple[object, ...] = ("so",), **more: Any) -> logging.LogRecord:
    return logging.LogRecord("a.b", logging.WARNING, "", 0, message, args, None, **more)


@pytest.fixture
def logged() -> Any:
    """Collect what all loggers say, in the format that is asked for."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)

    def start(log_format: str) -> list[str]:
        handler.setFormatter(make_formatter(log_format, "rest"))
        return lines

    yield start
    root.removeHandler(handler)


def test_a_line_of_json_has_what_is_known() -> None:
    formatter = make_formatter("json", "worker1")
    fields = json.loads(formatter.format(_record()))
    moment = datetime.fromisoformat(fields.pop("time"))
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=1)
    assert fields.pop("pid")
    assert fields == {"level": "WARNING", "logger": "a.b", "process": "worker1", "message": "it is so"}
    with working_for(CALL):
        fields = json.loads(formatter.format(_record()))
    assert {name: fields[name] for name in ("request_id", "job", "plugin", "trace_id", "traceparent")} == {
        "request_id": "order-7",
        "job": "job-1",
        "plugin": "Example",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "traceparent": TRACE,
    }


def test_a_traceback_stays_in_its_line_and_what_is_long_is_cut() -> None:
    formatter = make_formatter("json", "rest")
    record = _record("ä" * 100_000, ())
    try:
        raise ValueError("line\n" * 50_000)
    except ValueError:
        record.exc_info = sys.exc_info()
    line = formatter.format(record)
    # Longer ones would be cut by the supervisor, which makes no JSON.
    assert len(line) < 64 * 1024
    assert "\n" not in line
    fields = json.loads(line)
    assert fields["exception"].startswith("Traceback")
    assert fields["message"].endswith(" ... and 84000 characters more")


def test_a_line_of_text_has_the_request_id_if_there_is_one() -> None:
    formatter = make_formatter("text", "rest")
    assert formatter.format(_record()).endswith(" WARNING a.b: it is so")
    with working_for(CALL):
        assert formatter.format(_record()).endswith(" WARNING a.b [order-7]: it is so")


def test_the_lines_of_a_plugins_own_loggers_tell_of_their_run(
    load: Callable[..., Micro], interface: Callable[..., str], logged: Lines
) -> None:
    body = """
    def run(self):
        import logging
        logging.getLogger("of.the.author").warning("half way")
        return {}
    """
    micro = load({"p/interface.py": interface(body)})
    lines = logged("json")
    micro.run("plugin", {}, RunContext("rest", "order-7", traceparent=TRACE))
    (fields,) = (json.loads(line) for line in lines if "half way" in line)
    assert (fields["request_id"], fields["plugin"], fields["logger"]) == (
        "order-7",
        "Plugin",
        "of.the.author",
    )


def test_the_lines_of_celery_tell_of_their_task_and_not_of_its_parameters() -> None:
    record = _record()
    record.data = {"id": "task-1", "args": "('secret',)"}
    line = make_formatter("json", "worker1").format(record)
    assert json.loads(line)["task"] == "task-1"
    assert "secret" not in line


@pytest.mark.parametrize(
    ("text", "level"),
    [("Error: no such file", "ERROR"), ("WARNING: as root", "WARNING"), ("  File x, line 1", "INFO")],
)
def test_what_a_process_says_otherwise_becomes_json_too(text: str, level: str) -> None:
    fields = json.loads(json_line("broker", text))
    assert datetime.fromisoformat(fields.pop("time"))
    assert fields == {"level": level, "logger": "output", "process": "broker", "message": text}


def test_what_is_json_already_stays_as_it_is() -> None:
    line = make_formatter("json", "rest").format(_record())
    assert json_line("rest", line) is line


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected one of text, json, found a string 'xml'"):
        load_settings({"log_format": "xml"}, {})
