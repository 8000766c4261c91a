"""Tells whether an address can be listened on; gunicorn itself would try for five seconds and say less."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from micro.errors import MicroError

Address = tuple[str, int] | str | bytes | int
"""As gunicorn has it: host and port, the path of a Unix socket, or a descriptor that is open already."""

_IN_USE = "is in use; stop what listens there, or name another with -b"


class AddressError(MicroError):
    """The address to listen on cannot be had."""

    code = "address-unavailable"


def check_addresses(addresses: Iterable[Address]) -> None:
    """Raise AddressError when one of the addresses is in use or cannot be used."""
    for address in addresses:
        if isinstance(address, tuple):
            _check_port(*address[:2])
        elif not isinstance(address, int):
            _check_path(Path(os.fsdecode(address)))


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as err:
            raise _refusal(f"{host}:{port}", err) from err


def _check_path(path: Path) -> None:
    # gunicorn takes over whatever socket it finds, also one that another server answers on.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.connect(str(path))
        raise AddressError(f"The address unix:{path} {_IN_USE}.")
    trial = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.bind(str(trial))
    except OSError as err:
        raise _refusal(f"unix:{path}", err) from err
    trial.unlink(missing_ok=True)


def _refusal(address: str, err: OSError) -> AddressError:
    used = err.errno == errno.EADDRINUSE
    cause = _IN_USE if used else f"cannot be used ({err.strerror or err}); name another with -b"
    return AddressError(f"The address {address} {cause}.")
