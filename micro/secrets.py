"""Masks what must not be shown: settings whose names say so, and passwords in URLs."""

from __future__ import annotations

import re
from typing import Any

MASK = "**********"
# What ends in "file" is a path, which is told where it is to be mended.
_SECRET_NAME = re.compile(
    r"^(?!.*file$).*(?:passw|secret|token|credential|private|api_?key)", re.IGNORECASE | re.DOTALL
)
# Up to the last "@", as a password may hold the characters that should be written %2F and %40.
_URL_PASSWORD = re.compile(r"(?P<before>\w://[^\s/@:]*:)[^\s;,]*(?=@)")
_URL_QUERY_SECRET = re.compile(
    r"(?P<before>[?&][^=&\s]*(?:passw|secret|token)[^=&\s]*=)[^&\s;,]+", re.IGNORECASE
)


def masked(name: str, value: Any) -> Any:
    """Return the value as it may be shown under that name; URLs lose only their passwords."""
    if value and _SECRET_NAME.search(name):
        return MASK
    if isinstance(value, str):
        return masked_urls(value)
    if isinstance(value, dict):
        return {key: masked(key, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [masked(name, each) for each in value]
    return value


def masked_urls(text: str) -> str:
    """Return the text with the password of every URL in it masked, in its query too."""
    for pattern in (_URL_PASSWORD, _URL_QUERY_SECRET):
        text = pattern.sub(rf"\g<before>{MASK}", text)
    return text
