"""Opens the listening socket that successive REST server processes share."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from micro.errors import ConfigError, MicroError

_IN_USE = "is in use; stop what listens there, or name another with -b"
# gunicorn's default.
_BACKLOG = 2048


class AddressError(MicroError):
    """The address to listen on is in use or cannot be used."""

    code = "address-unavailable"


@contextmanager
def listening(bind: str, options: Mapping[str, Any]) -> Iterator[socket.socket]:
    """Listen on ``HOST:PORT`` or ``unix:PATH`` while the context is active; yield the listening socket.

    ``options`` are gunicorn's: backlog, umask, user and group. The file of a Unix socket is removed on exit.
    Raises AddressError if the address is in use or cannot be used, ConfigError if an option is not valid.
    """
    if bind.startswith("unix:"):
        path = Path(bind.removeprefix("unix:")).absolute()
        opened = _open_path(path, options)
    else:
        opened, path = _open_port(bind), None
    with opened:
        opened.listen(_number("backlog", options, _BACKLOG))
        try:
            yield opened
        finally:
            if path:
                path.unlink(missing_ok=True)


def _open_port(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _bind(opened, (host, int(port)), f"{host}:{port}")
    return opened


def _open_path(path: Path, options: Mapping[str, Any]) -> socket.socket:
    # Do not take over a socket on which a server answers; replace one that a dead server has left.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        raise AddressError(f"The address unix:{path} {_IN_USE}.")
    if path.is_socket():
        path.unlink()
    umask = _number("umask", options, 0)
    owner = (
        _owner("user", options, lambda name: pwd.getpwnam(name).pw_uid),
        _owner("group", options, lambda name: grp.getgrnam(name).gr_gid),
    )
    opened = socket.socket(socket.AF_UNIX)
    before = os.umask(umask)
    try:
        _bind(opened, str(path), f"unix:{path}")
    finally:
        os.umask(before)
    if owner != (-1, -1):
        os.chown(path, *owner)
    return opened


def _bind(opened: socket.socket, address: tuple[str, int] | str, shown: str) -> None:
    try:
        opened.bind(address)
    except OSError as err:
        opened.close()
        used = err.errno == errno.EADDRINUSE
        cause = _IN_USE if used else f"cannot be used ({err.strerror or err}); name another with -b"
        raise AddressError(f"The address {shown} {cause}.") from err


def _number(name: str, options: Mapping[str, Any], default: int) -> int:
    given = options.get(name, default)
    try:
        # Parse strings as gunicorn does: "0o27" is octal, 23.
        return int(given, 0) if isinstance(given, str) else int(given)
    except (TypeError, ValueError) as err:
        raise ConfigError(f"Setting 'gunicorn.{name}': expected a number, found {given!r}.") from err


def _owner(name: str, options: Mapping[str, Any], find: Callable[[str], int]) -> int:
    given = options.get(name)
    if given is None:
        return -1
    if str(given).isdigit():
        return int(given)
    try:
        return find(str(given))
    except KeyError as err:
        raise ConfigError(f"Setting 'gunicorn.{name}': there is no {name} {given!r} here.") from err
