"""Masks secrets for display: settings with secret names, and passwords in URLs."""

from __future__ import annotations

import re
from typing import Any

MASK = "**********"
# A name that ends in "file" holds a path, which messages must show so that users can correct it.
_SECRET_NAME = re.compile(
    r"^(?!.*file$).*(?:passw|secret|token|credential|private|api_?key)", re.IGNORECASE | re.DOTALL
)
# Up to the last "@", as a password may hold the characters that should be written %2F and %40.
_URL_PASSWORD = re.compile(r"(?P<before>\w://[^\s/@:]*:)[^\s;,]*(?=@)")
_URL_QUERY_SECRET = re.compile(
    r"(?P<before>[?&][^=&\s]*(?:passw|secret|token)[^=&\s]*=)[^&\s;,]+", re.IGNORECASE
)


def masked(name: str, value: Any) -> Any:
    """Return the value masked for display: wholly if the name is secret, else only passwords in URLs."""
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
    """Return the text with the passwords in its URLs masked, those in the query included."""
    for pattern in (_URL_PASSWORD, _URL_QUERY_SECRET):
        text = pattern.sub(rf"\g<before>{MASK}", text)
    return text
