"""What an application is told of a request, as PEP 3333 wants it."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from wsgiref.validate import check_environ

import pytest

from micro.server.http.wsgi import make_environ


def scope(path: str = "/", headers: list[tuple[bytes, bytes]] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "raw_path": path.encode("latin-1"),
        "query_string": b"",
        "root_path": "",
        "headers": headers or [],
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        **more,
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (scope("/a/b"), {"SCRIPT_NAME": "", "PATH_INFO": "/a/b"}),
        (scope("/a%20b%2Fc"), {"PATH_INFO": "/a b/c"}),
        (scope("/%C3%A9"), {"PATH_INFO": "/\xc3\xa9"}),
        # No UTF-8, and kept all the same.
        (scope("/%E9"), {"PATH_INFO": "/\xe9"}),
        (scope("//host/a"), {"PATH_INFO": "//host/a"}),
        (scope("/api/a", root_path="/api"), {"SCRIPT_NAME": "/api", "PATH_INFO": "/a"}),
        (scope("/api", root_path="/api/"), {"SCRIPT_NAME": "/api", "PATH_INFO": ""}),
        (scope("/apis", root_path="/api"), {"SCRIPT_NAME": "/api", "PATH_INFO": "/apis"}),
        # A server may leave out the raw path.
        (scope() | {"raw_path": None, "path": "/a é"}, {"PATH_INFO": "/a \xc3\xa9"}),
        (scope(query_string=b"a=%20&b=\xe9"), {"QUERY_STRING": "a=%20&b=\xe9"}),
        (scope(method="POST", http_version="1.0"), {"REQUEST_METHOD": "POST", "SERVER_PROTOCOL": "HTTP/1.0"}),
        (scope(scheme="https"), {"wsgi.url_scheme": "https"}),
        (scope(), {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "50000", "SERVER_PORT": "8000"}),
        (scope(headers=[(b"content-type", b"a/b")]), {"CONTENT_TYPE": "a/b"}),
        (scope(headers=[(b"content-length", b"3")]), {"CONTENT_LENGTH": "3"}),
        (scope(headers=[(b"x-a", b"1"), (b"y", b"2"), (b"x-a", b"3")]), {"HTTP_X_A": "1,3", "HTTP_Y": "2"}),
        (scope(headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")]), {"HTTP_COOKIE": "a=1; b=2"}),
        (scope(headers=[(b"x-latin", b"\xe9")]), {"HTTP_X_LATIN": "\xe9"}),
        # A Unix socket.
        (
            scope(server=("/run/micro.sock", None), client=None, headers=[(b"host", b"[::1]:81")]),
            {"SERVER_NAME": "[::1]", "SERVER_PORT": "81", "REMOTE_ADDR": "", "REMOTE_PORT": ""},
        ),
        (
            scope(server=None, scheme="https", headers=[(b"host", b"example.org")]),
            {"SERVER_NAME": "example.org", "SERVER_PORT": "443"},
        ),
        (scope(server=None), {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}),
    ],
)
def test_an_environment_says_what_the_request_does(given: dict[str, Any], expected: dict[str, str]) -> None:
    environ = make_environ(given)
    assert expected.items() <= environ.items()
    check_environ({**environ, "wsgi.input": BytesIO()})


def test_a_header_with_an_underscore_is_not_taken_for_the_one_with_a_hyphen() -> None:
    environ = make_environ(scope(headers=[(b"x_forwarded_for", b"1.2.3.4"), (b"x-real", b"yes")]))
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_REAL"] == "yes"


def test_environments_of_one_connection_are_apart() -> None:
    first = make_environ(scope())
    first["SERVER_NAME"] = first["X"] = "changed"
    second = make_environ(scope())
    assert second["SERVER_NAME"] == "127.0.0.1"
    assert "X" not in second
