"""Reads the headers with which a caller asks for a job: ``Prefer`` (RFC 7240) and ``Idempotency-Key``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from micro.errors import BadRequest


class Headers(Protocol):
    """What is asked of a request's headers."""

    def get(self, name: str, /) -> str | None: ...


LONGEST_WAIT = 300.0
_PATIENCE_WITH_KEY = 30.0
_LONGEST_KEY = 255


@dataclass(frozen=True)
class Preference:
    """How a run is to be started: wait up to ``wait`` seconds; ``applied`` is what to tell the caller."""

    wait: float
    key: str | None
    applied: str


def read_preference(headers: Headers) -> Preference | None:
    """Return what the caller prefers, None for a plain synchronous run.

    Unknown preferences are ignored, as the RFC wants it. A key alone makes a job, too, as only jobs
    are on record; the caller then waits for it as for a plain run. Raises BadRequest for a key that is
    no key.
    """
    prefer, key = headers.get("Prefer"), _key(headers.get("Idempotency-Key"))
    if not prefer and not key:
        return None
    # Of a preference that is there twice the first counts.
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
    # The draft has a quoted string; bare keys are just as common.
    key = text.strip().strip('"')
    if not key or len(key) > _LONGEST_KEY or not key.isprintable():
        raise BadRequest(f"The header Idempotency-Key must be 1 to {_LONGEST_KEY} printable characters")
    return key
