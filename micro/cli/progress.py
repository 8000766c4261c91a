"""A progress bar on the terminal, for a run in this process or for a job that is watched."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Report = tuple[float, float | None, str]


class ProgressBar:
    """A run's reporter that shows a progress bar on standard error, if that is a terminal.

    A context manager around the run. The first report shows the bar, the end of the block removes it. Lines
    that are logged or printed meanwhile appear above the bar.
    """

    def __init__(self) -> None:
        self._newest: Report = (0, None, "")
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._wanted = self._console.is_terminal and not self._console.is_dumb_terminal
        self._lock = threading.Lock()
        self._bar: _Bar | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._wanted = False
            if self._bar:
                _log_to(sys.stderr, self._bar.stop)

    def progress(self, done: float, total: float | None, message: str) -> None:
        """Keep the report; the bar reads it ten times a second."""
        self._newest = (float(done), None if total is None else float(total), str(message))
        if self._wanted and self._bar is None:
            self._show()

    def log(self, level: str, text: str) -> None:
        """Do nothing: the logging of this process writes the line already."""

    def cancelled(self) -> bool:
        """Return False: only Ctrl-C stops a run in this process."""
        return False

    def line(self, text: str) -> None:
        """Print a line on standard error, above the bar."""
        self._console.print(Text(text))

    def _show(self) -> None:
        with self._lock:
            if self._wanted and self._bar is None:
                self._bar = bar = _Bar(lambda: self._newest, self._console)
                _log_to(sys.stderr, bar.start)


class _Bar(Progress):
    """A bar that reads the newest report when it is drawn, so that reporting itself costs almost nothing."""

    def __init__(self, newest: Callable[[], Report], console: Console) -> None:
        self._newest = newest
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            _Done(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        # Do not redirect standard output into a pipe: that must stay exactly what the plugin printed.
        super().__init__(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty())
        self.add_task("", total=None)

    def get_renderables(self) -> Iterable[Any]:
        done, total, message = self._newest()
        for task in self.task_ids:
            self.update(task, completed=done, total=total, description=message)
        return super().get_renderables()


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        parts = [task.completed] if task.total is None else [task.completed, task.total]
        return Text("/".join(f"{each:,.0f}" if each == int(each) else f"{each:,.2f}" for each in parts))


def _log_to(before: Any, change: Callable[[], object]) -> None:
    """Start or stop the bar, which replaces ``sys.stderr``, and let log handlers use the new stream."""
    change()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(sys.stderr)
