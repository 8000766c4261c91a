"""Security headers, which limit what a browser does with an answer."""

from __future__ import annotations

Headers = list[tuple[str, str]]

_COMMON = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
# Defaults that a view may override. Data needs nothing loaded; pages set a policy of their own.
_POLICY = ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
_NOT_KEPT = ("Cache-Control", "no-store")
_ASKED_AGAIN = ("Cache-Control", "private, no-cache")
_OF_DATA = (*_COMMON, _POLICY, _NOT_KEPT)
FIXED = (*_OF_DATA, _ASKED_AGAIN)
"""All headers that this module adds."""
_DECISIVE = frozenset({"etag", "x-request-id", "traceparent", *(name.lower() for name, _ in FIXED)})


def missing_headers(headers: Headers, told: tuple[tuple[str, str], ...] = ()) -> Headers:
    """Return the headers to add to an answer, and ``told``; those that a view has set stay as they are."""
    names = {name.lower() for name, _ in headers}
    if names.isdisjoint(_DECISIVE):
        return [*told, *_OF_DATA]
    # An answer with an ETag may be cached, but only by its reader.
    kept = _ASKED_AGAIN if "etag" in names else _NOT_KEPT
    return [each for each in (*told, *_COMMON, _POLICY, kept) if each[0].lower() not in names]
