from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from micro.server.log_filter import LogFilter

NAMES = ("micro", "broker", "rest")


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[TextIO]:
    with (tmp_path / "stream").open("w") as stream:
        yield stream


@pytest.fixture
def log(tmp_path: Path) -> Iterator[logging.Handler]:
    handler = logging.FileHandler(tmp_path / "log")
    handler.setFormatter(logging.Formatter("%(name)s | %(message)s"))
    yield handler
    handler.close()


def _shown(tmp_path: Path, terminal: LogFilter) -> tuple[list[str], list[str]]:
    terminal.flush(2)
    stream, log = ((tmp_path / name).read_text().splitlines() for name in ("stream", "log"))
    return stream, log


@pytest.mark.parametrize(
    "line",
    [
        "12:M 22 Nov # WARNING Memory overcommit must be enabled! Without it, a background save may fail",
        "12:signal-handler (1795347888) Received SIGTERM scheduling shutdown...",
        "12:M 22 Nov # Valkey is now ready to exit, bye bye...",
    ],
)
def test_routine_lines_of_the_broker_are_left_out(
    tmp_path: Path, stream: TextIO, log: logging.Handler, line: str
) -> None:
    terminal = LogFilter(stream, NAMES, log, is_up=lambda name: True)
    terminal.line("broker", line)
    terminal.line("rest", line)
    assert _shown(tmp_path, terminal) == ([f"rest   | {line}"], [f"rest | {line}"])


def test_the_reason_of_a_child_that_never_came_up_is_only_logged(
    tmp_path: Path, stream: TextIO, log: logging.Handler
) -> None:
    terminal = LogFilter(stream, NAMES, log, is_up=lambda name: name == "broker")
    terminal.line("rest", "Error: the address is in use")
    terminal.line("broker", "Error: the disk is full")
    assert _shown(tmp_path, terminal) == (
        ["broker | Error: the disk is full"],
        ["rest | Error: the address is in use", "broker | Error: the disk is full"],
    )
