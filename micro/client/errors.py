"""Errors of the client: Micro's own, by their codes, and those of a service that does not answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from micro.errors import (
    EXIT_BROKER,
    BadRequest,
    BadResult,
    BrokerUnreachable,
    ConfigError,
    Conflict,
    FieldError,
    Forbidden,
    InvalidParameters,
    JobNotFound,
    MicroError,
    NoWorker,
    PluginError,
    PluginFailed,
    PluginNotFound,
    ResultNotReady,
    StoreUnavailable,
    TimeLimit,
    TooManyRuns,
    Unauthorized,
)


class ServiceUnreachable(MicroError):
    """No Micro answers at the URL; ``sent`` is True if the call may have arrived all the same."""

    status = 503
    code = "service-unreachable"
    exit_code = EXIT_BROKER

    def __init__(self, message: str, sent: bool = False) -> None:
        super().__init__(message, sent)
        self.sent = sent


class NoAnswer(ServiceUnreachable, TimeoutError):
    """The call has probably arrived, but the service did not answer in time."""

    status = 504
    code = "no-answer"

    def __init__(self, message: str) -> None:
        super().__init__(message, sent=True)


class JobCancelled(MicroError):
    """The job was cancelled, so it has no result."""

    status = 409
    code = "job-cancelled"


_BY_CODE: Mapping[str, type[MicroError]] = {
    each.code: each
    for each in (
        BadRequest,
        BadResult,
        BrokerUnreachable,
        ConfigError,
        Forbidden,
        JobCancelled,
        JobNotFound,
        NoWorker,
        PluginFailed,
        PluginNotFound,
        ResultNotReady,
        StoreUnavailable,
        TimeLimit,
        TooManyRuns,
        Unauthorized,
    )
}


def error_of(fields: Mapping[str, Any], status: int | None = None, *, ran: bool = False) -> MicroError:
    """Return the error that a service's answer describes.

    An unknown code is the plugin's if the plugin ``ran``, otherwise the service's.
    """
    code = str(fields.get("code") or "")
    status = status or fields.get("status")
    error = _error(str(fields["error"]), code, status, fields.get("errors") or (), ran)
    error.status = status or error.status
    error.code = code or error.code
    return error


def _error(message: str, code: str, status: int | None, fields: Any, ran: bool) -> MicroError:
    if code == InvalidParameters.code:
        return InvalidParameters(message, [FieldError(each["pointer"], each["message"]) for each in fields])
    if code in _BY_CODE:
        return _BY_CODE[code](message)
    of_plugin = code == PluginError.code or (ran and code)
    if of_plugin and 400 <= (status or 400) <= 599:
        return PluginError(message, status or 400, code)
    return Conflict(message, code) if status == HTTPStatus.CONFLICT else MicroError(message)
