"""Merges the output of many processes into one stream and one log, without blocking on the stream."""

from __future__ import annotations

import codecs
import logging
import os
import select
import time
from collections.abc import Callable, Iterable
from typing import TextIO

_LONGEST_LINE = 64 * 1024
_FULL = 1024 * 1024
# ANSI colour codes: cyan, yellow, green, magenta, blue, red.
_COLOURS = (36, 33, 32, 35, 34, 31)


class LineSplitter:
    """Splits bytes into lines as they arrive. Long lines are split at 64 K characters; nothing is lost."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._partial = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that ``data`` completes, without their line ends."""
        *lines, self._partial = (self._partial + self._decoder.decode(data)).split("\n")
        while len(self._partial) > _LONGEST_LINE:
            lines.append(self._partial[:_LONGEST_LINE])
            self._partial = self._partial[_LONGEST_LINE:]
        return [line.rstrip("\r") for line in lines]

    def rest(self) -> list[str]:
        """Return what is left without a line end, as a list of at most one line."""
        partial = self._partial + self._decoder.decode(b"", final=True)
        self._partial = ""
        return [partial] if partial else []


class Output:
    """Writes the lines of processes to a stream, with a prefix, and to a log handler, as records.

    The record's name is that of the process, so the handler's formatter can show it:
    ``logging.Formatter("%(name)s | %(message)s")``. If ``shape`` is given, lines get no prefix:
    ``shape(name, text)`` makes the line for both. ``colour`` None means coloured on a terminal,
    unless NO_COLOR is set.
    """

    def __init__(
        self,
        stream: TextIO | None,
        names: Iterable[str],
        log: logging.Handler | None = None,
        colour: bool | None = None,
        shape: Callable[[str, str], str] | None = None,
    ) -> None:
        names = list(names)
        coloured = _wants_colour(stream) if colour is None else colour
        width = max(map(len, names), default=0)
        self._prefixes = {
            name: _prefix(name, width, _COLOURS[index % len(_COLOURS)] if coloured else None)
            for index, name in enumerate(names)
        }
        self._stream = stream
        self._log = log
        self._shape = shape
        self._waiting = bytearray()

    @property
    def full(self) -> bool:
        """True while more than 1 MiB waits for the stream; then read no more output of the processes."""
        return len(self._waiting) >= _FULL

    def fileno(self) -> int | None:
        """Return the stream's file descriptor while lines wait to be written, else None."""
        return self._stream.fileno() if self._stream and self._waiting else None

    def line(self, name: str, text: str) -> None:
        """Write one line of the process ``name`` to the log, and queue it for the stream."""
        if self._log:
            shaped = self._shape(name, text) if self._shape else text
            self._log.handle(logging.LogRecord(name, logging.INFO, "", 0, shaped, None, None))
        self.aside(name, text)

    def aside(self, name: str, text: str) -> None:
        """Queue one line for the stream, but do not log it."""
        if self._stream:
            line = self._shape(name, text) if self._shape else f"{self._prefixes[name]}{text}"
            self._waiting += f"{line}\n".encode(errors="backslashreplace")

    def write(self) -> None:
        """Write as much of the queued output as the stream takes without blocking."""
        while (fd := self.fileno()) is not None and select.select([], [fd], [], 0)[1]:
            try:
                # POSIX: a pipe that select() reports as writable takes PIPE_BUF bytes without blocking.
                del self._waiting[: os.write(fd, self._waiting[: select.PIPE_BUF])]
            except OSError:
                # The terminal has closed or the reader has ended. Go on with the log alone.
                self._stream = None

    def flush(self, seconds: float) -> None:
        """Write all queued output, but give up after ``seconds``."""
        deadline = time.monotonic() + seconds
        while (fd := self.fileno()) is not None and (left := deadline - time.monotonic()) > 0:
            select.select([], [fd], [], left)
            self.write()


def _wants_colour(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")


def _prefix(name: str, width: int, colour: int | None) -> str:
    mark = f"{name:<{width}} |"
    return f"{mark} " if colour is None else f"\x1b[{colour}m{mark}\x1b[0m "
