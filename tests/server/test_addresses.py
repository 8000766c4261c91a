from __future__ import annotations

import socket
from pathlib import Path

import pytest

from micro.server.addresses import AddressError, check_addresses


def test_free_addresses_are_accepted_and_left_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    check_addresses([("127.0.0.1", 0), ("localhost", 0), str(path), 3])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("not __import__('socket').has_ipv6", reason="no IPv6 here")
def test_ipv6_is_accepted() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        port = server.getsockname()[1]
        with pytest.raises(AddressError, match=rf"::1:{port} is in use"):
            check_addresses([("::1", port)])
    check_addresses([("::1", port)])


def test_a_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with pytest.raises(AddressError, match=rf"127.0.0.1:{address[1]} is in use; stop what listens there"):
            check_addresses([address])


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_not_ours_is_refused(host: str) -> None:
    with pytest.raises(AddressError, match=rf"{host}:8000 cannot be used \(.+\); name another with -b"):
        check_addresses([(host, 8000)])


def test_a_socket_that_nobody_answers_on_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(path))
    check_addresses([str(path)])
    assert path.exists()


def test_a_socket_in_use_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        with pytest.raises(AddressError, match="is in use"):
            check_addresses([str(path)])


@pytest.mark.parametrize("place", ["missing/socket", "x" * 200])
def test_a_path_that_cannot_be_used_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(AddressError, match="cannot be used"):
        check_addresses([str(tmp_path / place)])
