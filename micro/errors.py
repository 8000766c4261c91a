"""Every error a caller can meet: its sentence, its HTTP status, its exit code."""

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
    """One wrong parameter: a JSON Pointer (RFC 6901) to it and a sentence."""

    pointer: str
    message: str


class MicroError(Exception):
    """Base of all errors whose sentence may be shown to the caller."""

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
    """The call cannot be read: no JSON, or not a JSON object."""

    status = 400
    code = "bad-request"
    exit_code = EXIT_USAGE


class Unauthorized(MicroError):
    """The request has no API key, or one that is not known."""

    status = 401
    code = "unauthorized"


class Forbidden(MicroError):
    """The API key is not one for this."""

    status = 403
    code = "forbidden"


class PluginNotFound(MicroError):
    """No plugin, or more than one, answers to the name."""

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
    """The plugin raised an exception that it did not declare."""

    code = "plugin-failed"


class BadResult(MicroError):
    """The plugin returned what is no JSON object."""

    code = "bad-result"


class PluginError(MicroError):
    """An error that a plugin raises on purpose, for its callers to read.

    ``status`` is the HTTP status (400-599); ``code`` a short name for programs.
    """

    def __init__(self, message: str, status: int = 400, code: str = "plugin-error") -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"PluginError: expected an HTTP status from 400 to 599, found {status!r}")
        super().__init__(message, status, code)
        self.status = status
        self.code = code


def error_fields(error: MicroError) -> dict[str, Any]:
    """Return what every transport tells of an error: its sentence, code and bad fields."""
    fields: dict[str, Any] = {"error": error.message, "code": error.code}
    if isinstance(error, RecordedError) and "errors" in error.fields:
        fields["errors"] = error.fields["errors"]
    if isinstance(error, InvalidParameters) and error.errors:
        fields["errors"] = [{"pointer": each.pointer, "message": each.message} for each in error.errors]
    return fields


class JobNotFound(MicroError):
    """No job has the id: it never existed, was deleted, or was kept no longer."""

    status = 404
    code = "job-not-found"
    exit_code = EXIT_USAGE


class Conflict(MicroError):
    """The request does not fit the state of what it names; ``code`` says how."""

    status = 409
    code = "conflict"

    def __init__(self, message: str, code: str = "conflict") -> None:
        super().__init__(message, code)
        self.code = code


class StoreUnavailable(MicroError):
    """The job table does not answer, or refuses what it was asked."""

    status = 503
    code = "store-unavailable"


class NoWorker(MicroError):
    """No Celery worker is configured that could run a job."""

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
    """The plugin does as many runs at once as it may; a later call may find it free."""

    status = 429
    code = "too-many-runs"


class RecordedError(MicroError):
    """An error read back from the record of a job, as its run had raised it."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        super().__init__(str(fields.get("error", "")), dict(fields))
        self.fields = dict(fields)
        self.status = int(fields.get("status", self.status))
        self.code = str(fields.get("code", self.code))


def one_line(err: BaseException) -> str:
    """Name any exception and its message, on one line as logs want it."""
    return " ".join(f"{type(err).__name__}: {err}".split()).removesuffix(":")
