"""What the server itself answers to what never becomes a call of the application."""

from __future__ import annotations

import json

from micro.api.headers import missing_headers
from micro.api.problem import MEDIA_TYPE, problem_fields

Headers = list[tuple[bytes, bytes]]


def refusal(status: int, sentence: str) -> tuple[Headers, bytes]:
    """Return the headers and the body of an answer that ends its connection, in the form of all others."""
    fields = problem_fields(status, sentence)
    code = fields["title"].lower().replace(" ", "-")
    body = json.dumps({**fields, "error": sentence, "code": code}).encode()
    headers = [("Content-Type", MEDIA_TYPE), ("Content-Length", str(len(body))), ("Connection", "close")]
    told = [*headers, *missing_headers(headers)]
    return [(name.lower().encode(), value.encode()) for name, value in told], body
