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
_DECISIVE = frozenset({"content-security-policy", "cache-control", "etag"})


def missing_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return what the headers of an answer are to have besides."""
    names = {name.lower() for name, _ in headers}
    if names.isdisjoint(_DECISIVE):
        return _OF_DATA
    policy = () if "content-security-policy" in names else (_POLICY,)
    # What has an ETag is meant to be kept, but for its reader alone.
    kept = _ASKED_AGAIN if "etag" in names else _NOT_KEPT
    return (*_COMMON, *policy, *(() if "cache-control" in names else (kept,)))
