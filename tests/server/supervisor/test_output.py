"""Lines of many processes, on a stream and in a log."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from micro.server.supervisor.output import LineSplitter, Output

NAMES = ["rest", "worker1"]
# More than any pipe holds.
PLENTY = 3000
LONG = "x" * 1000


class Pipe:
    """A pipe as a stream, and what can be read from it."""

    def __init__(self) -> None:
        self.reader, writer = os.pipe()
        self.stream = os.fdopen(writer, "w")

    def read(self) -> str:
        return os.read(self.reader, 1024 * 1024).decode()

    def close_reader(self) -> None:
        os.close(self.reader)
        self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.stream.close()
    if pipe.reader >= 0:
        pipe.close_reader()


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    main, side = os.openpty()
    with os.fdopen(side, "w") as stream:
        yield stream
    os.close(main)


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[logging.FileHandler]:
    handler = logging.FileHandler(tmp_path / "micro.log")
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    yield handler
    handler.close()


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"o", b"ne\nt", b"wo\n"], ["one", "two"]),
        ([b"one\r\n\r\ntwo\r\n"], ["one", "", "two"]),
        ([b"no line end"], ["no line end"]),
        ([b"\xc3", b"\xa9t\xc3\xa9\n"], ["été"]),
        ([b"caf\xe9\n", b"cut \xc3"], ["caf\\xe9", "cut \\xc3"]),
        ([], []),
    ],
)
def test_bytes_become_lines_however_they_arrive(chunks: list[bytes], lines: list[str]) -> None:
    splitter = LineSplitter()
    assert [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.rest() == lines


def test_a_very_long_line_comes_in_pieces_and_whole() -> None:
    splitter = LineSplitter()
    pieces = [piece for _ in range(100) for piece in splitter.feed(b"y" * 5000)] + splitter.rest()
    assert "".join(pieces) == "y" * 500_000
    assert max(map(len, pieces)) < 100_000


def test_lines_are_marked_on_the_stream_and_plain_in_the_log(
    pipe: Pipe, log_file: logging.FileHandler
) -> None:
    output = Output(pipe.stream, NAMES, log_file)
    output.line("rest", "100% é")
    output.line("worker1", "\udce9")
    output.write()
    assert pipe.read() == "rest    | 100% é\nworker1 | \\udce9\n"
    assert Path(log_file.baseFilename).read_text().startswith("rest: 100% é\n")


def test_output_can_go_to_the_log_alone(log_file: logging.FileHandler) -> None:
    output = Output(None, NAMES, log_file)
    output.line("rest", "hello")
    output.flush(1)
    assert Path(log_file.baseFilename).read_text() == "rest: hello\n"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_unless_they_are_unwanted(
    terminal: TextIO, monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    read, write = os.pipe()
    os.set_blocking(read, False)
    output = Output(terminal, NAMES)
    output.line("rest", "hello")
    # What a terminal would show is read from a pipe put in its place.
    os.dup2(write, terminal.fileno())
    output.write()
    assert os.read(read, 1000) == (b"\x1b[36mrest    |\x1b[0m hello\n" if coloured else b"rest    | hello\n")
    os.close(read)
    os.close(write)


def test_a_stream_nobody_reads_delays_nothing_and_loses_nothing(pipe: Pipe) -> None:
    output = Output(pipe.stream, NAMES)
    started = time.monotonic()
    for number in range(PLENTY):
        output.line("rest", f"{number} {LONG}")
        output.write()
    output.flush(0.05)
    assert time.monotonic() - started < 5
    assert output.full
    text = ""
    while output.fileno() is not None:
        text += pipe.read()
        output.write()
    text += pipe.read()
    assert text == "".join(f"rest    | {number} {LONG}\n" for number in range(PLENTY))
    assert not output.full


def test_when_the_reader_is_gone_the_log_goes_on(pipe: Pipe, log_file: logging.FileHandler) -> None:
    output = Output(pipe.stream, NAMES, log_file)
    pipe.close_reader()
    for text in ("one", "two"):
        output.line("rest", text)
        output.flush(1)
    assert output.fileno() is None
    assert Path(log_file.baseFilename).read_text() == "rest: one\nrest: two\n"
