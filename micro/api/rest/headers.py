"""The headers that keep browsers from doing more with an answer than was meant."""

from __future__ import annotations

Headers = list[tuple[str, str]]

_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
# What views may have set otherwise. Data is nothing to load anything from; pages have a policy of their own.
_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_NOT_KEPT = ("Cache-Control", "no-store")
_ASKED_AGAIN = ("Cache-Control", "private, no-cache")
_OF_DATA = (*_COMMON, _POLICY, _NOT_KEPT)
FIXED = (*_OF_DATA, _ASKED_AGAIN)
"""Headers that answers have word for word: a server may write them beforehand."""
_DECISIVE = frozenset({"etag", "x-request-id", "traceparent", *(name.lower() for name, _ in FIXED)})


def missing_headers(headers: Headers, told: tuple[tuple[str, str], ...] = ()) -> Headers:
    """Return what the headers of an answer are to have besides, also ``told``; what a view has set, stays."""
    names = {name.lower() for name, _ in headers}
    if names.isdisjoint(_DECISIVE):
        return [*told, *_OF_DATA]
    # What has an ETag is meant to be kept, but for its reader alone.
    kept = _ASKED_AGAIN if "etag" in names else _NOT_KEPT
    return [each for each in (*told, *_COMMON, _POLICY, kept) if each[0].lower() not in names]
