"""Starts a child process before it is known what it is to do: it imports while the supervisor finds out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress


def command(module: str) -> tuple[str, ...]:
    """Return the command line, but for the arguments, of a child that runs the module."""
    # -P: what lies in the current directory is no part of the program, whatever its name.
    return (sys.executable, "-P", "-m", "micro.server", module)


class Ahead:
    """A child process that has no arguments yet; it gets them through its standard input.

    It ends when that ends without any, be it that the program was killed.
    """

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._argv = argv
        self._orders, theirs = socket.socketpair()
        with theirs:
            self._popen: subprocess.Popen[bytes] | None = subprocess.Popen(
                argv,
                stdin=theirs.fileno(),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def take(
        self, argv: Sequence[str], env: Mapping[str, str], fds: Sequence[int]
    ) -> subprocess.Popen[bytes] | None:
        """Let it do what a process started with these would; None when it was taken, or has ended.

        ``argv`` begins with its own. A descriptor gets another number there, and an argument ``fd://NUMBER``
        is changed accordingly.
        """
        popen = self._popen
        if popen is None or popen.poll() is not None:
            return None
        orders = {
            "arguments": argv[len(self._argv) :],
            "env": {name: value for name, value in env.items() if os.environ.get(name) != value},
            "fds": fds,
        }
        self._popen = None
        # Of one that has just ended it is seen as of any other.
        with self._orders, suppress(BrokenPipeError):
            socket.send_fds(self._orders, [json.dumps(orders).encode()], fds)
        return popen

    def dismiss(self) -> None:
        """End it, unless it was taken."""
        popen, self._popen = self._popen, None
        if popen:
            self._orders.close()
            # It has done nothing yet that would have to be undone.
            popen.kill()
            with popen:
                pass


@contextmanager
def ahead_of(arguments: Sequence[str]) -> Iterator[Ahead | None]:
    """Start the REST server ahead where the command line is likely to ask for it; dismiss it in the end.

    A daemon is to be its parent, and is not there yet.
    """
    likely = _has(arguments, "G", "--gunicorn") and arguments[0].startswith("-")
    if not likely or _has(arguments, "D", "--daemon"):
        yield None
        return
    ahead = Ahead(command("http.gunicorn"))
    try:
        yield ahead
    finally:
        ahead.dismiss()


def _has(arguments: Sequence[str], letter: str, name: str) -> bool:
    """Tell whether the flag is among the arguments, be it with others in one word, such as -GC."""
    words = {each for each in arguments if each.startswith("-") and set(each[1:]) <= {"G", "C", "D"}}
    return name in arguments or any(letter in each for each in words)


def awaited_arguments() -> list[str]:
    """Wait, in the child, for the arguments; return none when they do not come."""
    with socket.socket(fileno=os.dup(0)) as orders:
        data, fds, _, _ = socket.recv_fds(orders, 64 * 1024, 8)
        while more := orders.recv(64 * 1024):
            data += more
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if not data:
        return []
    told = json.loads(data)
    os.environ.update(told["env"])
    numbers = {f"fd://{there}": f"fd://{here}" for there, here in zip(told["fds"], fds, strict=True)}
    return [numbers.get(each, each) for each in told["arguments"]]
