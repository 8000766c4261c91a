from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from micro.errors import ConfigError
from micro.server.http.sockets import AddressError, listening


def test_a_port_is_listened_on_until_the_end() -> None:
    with listening("127.0.0.1:0", {"backlog": 5}) as opened:
        port = opened.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port)):  # noqa: PT011
        pass


@pytest.mark.skipif("not __import__('socket').has_ipv6", reason="no IPv6 here")
def test_ipv6_is_listened_on() -> None:
    with listening("[::1]:0", {}) as opened:
        port = opened.getsockname()[1]
        with pytest.raises(AddressError, match=rf"::1:{port} is in use"), listening(f"[::1]:{port}", {}):
            pass


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        bind = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(AddressError, match=rf"{bind} is in use; stop what listens"), listening(bind, {}):
            pass


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    expected = rf"{host}:8000 cannot be used \(.+\); name another with -b"
    with pytest.raises(AddressError, match=expected), listening(f"{host}:8000", {}):
        pass


def test_a_socket_is_made_with_the_options_of_gunicorn_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    options = {"umask": "0o117", "user": os.getuid(), "group": os.getgid()}
    with listening(f"unix:{path}", options):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


def test_a_socket_that_nobody_answers_on_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    with listening(f"unix:{path}", {}), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_socket_in_use_is_refused_and_left_alone(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path / 'socket'}"
    with listening(bind, {}):
        with pytest.raises(AddressError, match="is in use"), listening(bind, {}):
            pass
        assert (tmp_path / "socket").exists()


@pytest.mark.parametrize("place", ["missing/socket", "x" * 200])
def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(AddressError, match="cannot be used"), listening(f"unix:{tmp_path / place}", {}):
        pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"umask": "rwx"}, "'gunicorn.umask': expected a number, found 'rwx'"),
        ({"user": "no-such-user"}, "'gunicorn.user': there is no user 'no-such-user' here"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message), listening(f"unix:{tmp_path / 'socket'}", options):
        pass
