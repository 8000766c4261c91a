"""Reads the headers with which a caller asks for a job: ``Prefer`` (RFC 7240) and ``Idempotency-Key``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from micro.errors import BadRequest


class Headers(Protocol):
    """The headers of a request: the one method that is used here."""

    def get(self, name: str, /) -> str | None: ...


LONGEST_WAIT = 300.0
_PATIENCE_WITH_KEY = 30.0
_LONGEST_KEY = 255


@dataclass(frozen=True)
class Preference:
    """How a caller wants a run: wait up to ``wait`` seconds for its end.

    ``key`` is the idempotency key, ``applied`` the value of the response header Preference-Applied.
    """

    wait: float
    key: str | None
    applied: str


def read_preference(headers: Headers) -> Preference | None:
    """Return what the caller prefers; None for a plain synchronous run.

    Unknown preferences are ignored, as RFC 7240 demands. An idempotency key alone makes a job too,
    because only jobs are recorded; the caller then waits for its end, up to 30 seconds. Raises
    BadRequest for an invalid key.
    """
    prefer, key = headers.get("Prefer"), _key(headers.get("Idempotency-Key"))
    if not prefer and not key:
        return None
    # If a preference is given twice, the first counts (RFC 7240); dict() would keep the last.
    preferences = dict(reversed(_preferences(prefer or "")))
    wait = _seconds(preferences.get("wait"))
    if wait is not None:
        return Preference(wait, key, f"wait={wait:g}")
    if "respond-async" in preferences:
        return Preference(0, key, "respond-async")
    return Preference(_PATIENCE_WITH_KEY, key, "") if key else None


def _preferences(header: str) -> list[tuple[str, str]]:
    parts = [part.partition(";")[0].partition("=") for part in header.split(",")]
    return [(name.strip().lower(), value.strip().strip('"')) for name, _, value in parts]


def _seconds(text: str | None) -> float | None:
    if text is None or not text.isascii() or not text.isdigit():
        return None
    return min(float(text), LONGEST_WAIT)


def _key(text: str | None) -> str | None:
    if text is None:
        return None
    # The IETF draft has a quoted string; clients send bare keys just as often.
    key = text.strip().strip('"')
    if not key or len(key) > _LONGEST_KEY or not key.isprintable():
        raise BadRequest(f"The header Idempotency-Key must be 1 to {_LONGEST_KEY} printable characters")
    return key
