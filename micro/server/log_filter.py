"""Filters the output of the processes: drops routine lines, and reasons that are shown elsewhere."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from typing import TextIO

from micro.server.broker import NAME as BROKER
from micro.server.child import REASON
from micro.server.supervisor.output import Output

# Lines that Valkey writes at every start and stop, at the same level as its errors.
_ROUTINE = re.compile(r"Memory overcommit must be enabled|scheduling shutdown|bye bye")


class LogFilter(Output):
    """The output without routine lines, and without the reason for which Micro itself is about to end.

    ``is_up(name)`` returns True if a process has become ready. If one ends before that, Micro ends with its
    reason as the error message, so the stream does not need it too; the log file gets it.
    """

    def __init__(
        self,
        stream: TextIO | None,
        names: Iterable[str],
        log: logging.Handler,
        is_up: Callable[[str], bool],
        shape: Callable[[str, str], str] | None = None,
    ) -> None:
        super().__init__(stream, names, log, shape=shape)
        self._file = log
        self._is_up = is_up

    def line(self, name: str, text: str) -> None:
        """Write one line of the process ``name``, unless it is filtered."""
        if name == BROKER and _ROUTINE.search(text):
            return
        if text.startswith(REASON) and not self._is_up(name):
            shaped = self._shape(name, text) if self._shape else text
            self._file.handle(logging.LogRecord(name, logging.INFO, "", 0, shaped, None, None))
            return
        super().line(name, text)
