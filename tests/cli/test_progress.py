"""The progress bar of a run, on a terminal and elsewhere."""

from __future__ import annotations

import logging
import os
import pty
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TextIO

import pytest

from micro.cli.progress import ProgressBar

_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WaitFor = Callable[..., Any]


class Terminal:
    """A terminal that is standard error while the context is entered; ``text`` is what it shows by now.

    Not a patch by a fixture: pytest puts its own standard error in place when the test begins.
    """

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        self.stderr: TextIO = os.fdopen(slave, "w", buffering=1)
        self._bytes = b""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def text(self) -> str:
        return _CONTROLS.sub("", self._bytes.decode(errors="replace"))

    def __enter__(self) -> Terminal:
        self._before, sys.stderr = sys.stderr, self.stderr
        return self

    def __exit__(self, *_: object) -> None:
        sys.stderr = self._before

    def close(self) -> None:
        self.stderr.close()
        self._reader.join()
        os.close(self._master)

    def _read(self) -> None:
        # The end of a terminal is an error on Linux.
        with suppress(OSError):
            while chunk := os.read(self._master, 4096):
                self._bytes += chunk


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.fixture
def handler(terminal: Terminal) -> Iterator[logging.StreamHandler[Any]]:
    """The log of the process, on standard error."""
    handler = logging.StreamHandler(terminal.stderr)
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


@pytest.mark.parametrize(
    ("report", "shown"),
    [
        ((3, 10, "counting sheep"), ["counting sheep", "3/10"]),
        ((0.25, 1.5, ""), ["0.25/1.50"]),
        ((1234567, None, "no end known"), ["no end known", "1,234,567"]),
        ((1, 2, "[bold]as it is[/]"), ["[bold]as it is[/]"]),
    ],
)
def test_a_terminal_shows_the_newest_report(
    terminal: Terminal, wait_for: WaitFor, report: tuple[float, float | None, str], shown: list[str]
) -> None:
    with terminal, ProgressBar() as bar:
        bar.progress(0, None, "first")
        bar.progress(*report)
        wait_for(lambda: all(each in terminal.text for each in shown))


def test_nothing_is_shown_of_a_run_that_reports_nothing(terminal: Terminal) -> None:
    with terminal, ProgressBar() as bar:
        bar.log("INFO", "the log has this anyway")
        assert not bar.cancelled()
    assert terminal.text == ""


def test_lines_and_log_go_above_the_bar(
    terminal: Terminal, handler: logging.StreamHandler[Any], wait_for: WaitFor
) -> None:
    with terminal, ProgressBar() as bar:
        bar.progress(1, 2, "half")
        logging.getLogger("plugin").warning("a warning")
        bar.line("[a] line")
        wait_for(lambda: "a warning" in terminal.text and "[a] line" in terminal.text)
        assert handler.stream is not terminal.stderr
    assert handler.stream is terminal.stderr


def test_what_goes_to_a_pipe_is_left_alone(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    with terminal, ProgressBar() as bar:
        bar.progress(1, 2, "half")
        print("the result")
    assert capsys.readouterr().out == "the result\n"
    assert "the result" not in terminal.text


def test_reports_after_the_end_show_no_bar(terminal: Terminal) -> None:
    with terminal:
        with ProgressBar() as bar:
            pass
        bar.progress(1, 2, "late")
    assert terminal.text == ""


def test_a_terminal_that_cannot_move_its_cursor_gets_no_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, wait_for: WaitFor
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal, ProgressBar() as bar:
        bar.progress(1, 2, "half")
        bar.line("a line")
    assert wait_for(lambda: terminal.text) == "a line\r\n"


def test_no_bar_is_drawn_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressBar() as bar:
        bar.progress(1, 2, "half")
        bar.line("a line")
    assert capsys.readouterr().err == "a line\n"


def test_a_report_that_is_no_number_is_the_plugins_error() -> None:
    with ProgressBar() as bar, pytest.raises(ValueError, match="could not convert"):
        bar.progress("half", 2, "")  # type: ignore[arg-type] - as a plugin may
