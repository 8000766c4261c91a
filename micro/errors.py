"""Every error that a caller can get: its message, HTTP status, code and exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BROKER = 3
EXIT_RUNNING = 4


@dataclass(frozen=True)
class FieldError:
    """One wrong parameter: its JSON Pointer (RFC 6901) and a message."""

    pointer: str
    message: str


class MicroError(Exception):
    """Base class of all errors whose message may be shown to the caller."""

    status = 500
    code = "internal-error"
    exit_code = EXIT_FAILED

    @property
    def message(self) -> str:
        return str(self.args[0]) if self.args else self.__class__.__name__

    def __str__(self) -> str:
        return self.message


class ConfigError(MicroError):
    """A setting, a file or a folder named in the configuration cannot be used."""

    code = "configuration"
    exit_code = EXIT_USAGE


class BrokerUnreachable(MicroError):
    """The message broker does not answer."""

    status = 503
    code = "broker-unreachable"
    exit_code = EXIT_BROKER


class AlreadyRunning(MicroError):
    """Another Micro runs with the same PID folder."""

    code = "already-running"
    exit_code = EXIT_RUNNING


class PluginLoadError(MicroError):
    """A plugin could not be imported or registered."""

    code = "plugin-not-loaded"


class BadRequest(MicroError):
    """The body of the call is not JSON, or not a JSON object."""

    status = 400
    code = "bad-request"
    exit_code = EXIT_USAGE


class Unauthorized(MicroError):
    """The request has no API key, or an unknown one."""

    status = 401
    code = "unauthorized"


class Forbidden(MicroError):
    """The API key does not permit this request."""

    status = 403
    code = "forbidden"


class PluginNotFound(MicroError):
    """No plugin has the name, or the name is ambiguous."""

    status = 404
    code = "plugin-not-found"
    exit_code = EXIT_USAGE


class InvalidParameters(MicroError):
    """The parameters do not fit the plugin's contract."""

    status = 422
    code = "invalid-parameters"
    exit_code = EXIT_USAGE

    def __init__(self, message: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(message, tuple(errors))
        self.errors = tuple(errors)


class PluginFailed(MicroError):
    """The plugin raised an exception other than PluginError."""

    code = "plugin-failed"


class BadResult(MicroError):
    """The plugin's result is not a JSON object, or does not match its declared type."""

    code = "bad-result"


class PluginError(MicroError):
    """An error that a plugin raises for its callers to read.

    ``status`` is the HTTP status (400-599), ``code`` a short name for programs. Raises ValueError for
    any other status.
    """

    def __init__(self, message: str, status: int = 400, code: str = "plugin-error") -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"PluginError: expected an HTTP status from 400 to 599, found {status!r}")
        super().__init__(message, status, code)
        self.status = status
        self.code = code


def error_fields(error: MicroError) -> dict[str, Any]:
    """Return the fields of an error for all transports: ``error``, ``code`` and, if any, ``errors``."""
    fields: dict[str, Any] = {"error": error.message, "code": error.code}
    if isinstance(error, RecordedError) and "errors" in error.fields:
        fields["errors"] = error.fields["errors"]
    if isinstance(error, InvalidParameters) and error.errors:
        fields["errors"] = [{"pointer": each.pointer, "message": each.message} for each in error.errors]
    return fields


class JobNotFound(MicroError):
    """No job has the id: it never existed, was deleted, or has expired."""

    status = 404
    code = "job-not-found"
    exit_code = EXIT_USAGE


class Conflict(MicroError):
    """The request conflicts with the current state of its target; ``code`` names the conflict."""

    status = 409
    code = "conflict"

    def __init__(self, message: str, code: str = "conflict") -> None:
        super().__init__(message, code)
        self.code = code


class StoreUnavailable(MicroError):
    """The job table does not answer, or rejected the statement."""

    status = 503
    code = "store-unavailable"


class NoWorker(MicroError):
    """No Celery worker is configured to run jobs."""

    status = 503
    code = "no-worker"


class ResultNotReady(MicroError):
    """The job has not ended yet."""

    status = 404
    code = "result-not-ready"


class TimeLimit(MicroError):
    """The run took longer than its plugin allows."""

    status = 504
    code = "time-limit"


class TooManyRuns(MicroError):
    """The plugin has reached its concurrency limit in this process; the caller may retry."""

    status = 429
    code = "too-many-runs"


class RecordedError(MicroError):
    """The error of a job's run, restored from the job table."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(str(fields.get("error", "")), dict(fields))
        self.fields = dict(fields)
        self.status = int(fields.get("status", self.status))
        self.code = str(fields.get("code", self.code))


def one_line(err: BaseException) -> str:
    """Return the type and message of an exception on one line, for logs."""
    return " ".join(f"{type(err).__name__}: {err}".split()).removesuffix(":")
