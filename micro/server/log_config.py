"""Configures logging in a child process: all records go to stderr, which the supervisor forwards."""

from __future__ import annotations

import json
import logging.config
from datetime import UTC, datetime
from typing import Any

from micro.correlation import CALL

FORMAT = "%(asctime)s %(levelname)s %(name)s%(call)s: %(message)s"
# The supervisor splits lines longer than 64 K characters, and a part of a JSON object is not JSON.
_MOST_MESSAGE, _MOST_TRACEBACK = 16_000, 24_000
_BEGINNING = '{"time": "'
_LEVELS = {"ERROR": "ERROR", "Error": "ERROR", "WARNING": "WARNING"}


class TextFormatter(logging.Formatter):
    """Formats records as text; those of a call contain its request id, in brackets."""

    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging calls it so
        call = CALL.get()
        record.call = f" [{call.request_id}]" if call else ""
        return super().formatMessage(record)


class JsonFormatter(logging.Formatter):
    """Formats each record as a JSON object on one line. Unknown fields are left out."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            **_head(record.created, record.levelname, record.name, self._process),
            "pid": record.process,
            "message": _cut(record.getMessage(), _MOST_MESSAGE),
            **_call_fields(),
            "task": _task(record),
            "exception": _cut(self._traceback(record), _MOST_TRACEBACK),
        }
        known = {name: value for name, value in fields.items() if value not in (None, "")}
        return json.dumps(known, ensure_ascii=False)

    def _traceback(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        parts += [self.formatStack(record.stack_info)] if record.stack_info else []
        return "\n".join(parts)


def json_line(process: str, text: str) -> str:
    """Return a line of a process's output as a JSON object. Lines from JsonFormatter are left as they are."""
    if text.startswith(_BEGINNING):
        return text
    level = _LEVELS.get(text.partition(":")[0], "INFO")
    head = _head(datetime.now(UTC).timestamp(), level, "output", process)
    return json.dumps({**head, "message": text}, ensure_ascii=False)


def make_formatter(log_format: str, process: str) -> logging.Formatter:
    """Make the formatter for the setting ``log_format``: "json" or "text"."""
    return JsonFormatter(process) if log_format == "json" else TextFormatter()


def configure_logging(level: str, log_format: str = "text", process: str = "") -> None:
    """Send all records of ``level`` and above to stderr. ``process`` is the name in JSON records."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": make_formatter, "log_format": log_format, "process": process}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "loggers": {
                # At DEBUG this logger would write all parameters, secrets included.
                "celery.pool": {"level": "INFO" if level == "DEBUG" else level},
            },
            "root": {"level": level, "handlers": ["stderr"]},
        }
    )


def _head(seconds: float, level: str, logger: str, process: str) -> dict[str, Any]:
    time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return {"time": time.replace("+00:00", "Z"), "level": level, "logger": logger, "process": process}


def _call_fields() -> dict[str, Any]:
    call = CALL.get()
    if call is None:
        return {}
    return {
        "request_id": call.request_id,
        "job": call.job,
        "plugin": call.plugin,
        "trace_id": call.trace_id,
        "traceparent": call.traceparent,
    }


def _task(record: logging.LogRecord) -> str | None:
    """Return the task id that Celery attaches to its log records, or None."""
    data = getattr(record, "data", None)
    return data.get("id") if isinstance(data, dict) else None


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]} ... and {len(text) - most} characters more"
