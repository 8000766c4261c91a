from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from micro.errors import ConfigError
from micro.server.supervisor.logfile import BACKUPS, LogFile

OpenLog = Callable[..., LogFile]


@pytest.fixture
def open_log() -> Iterator[Callable[..., LogFile]]:
    opened: list[LogFile] = []

    def make(path: Path, max_size: int = 0, *tell: Callable[[str], object]) -> LogFile:
        opened.append(LogFile(path, max_size, *(tell or (print,))))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def write(log: LogFile, *lines: str) -> None:
    for line in lines:
        log.handle(logging.LogRecord("rest", logging.INFO, "", 0, line, None, None))


def test_each_record_is_a_line(tmp_path: Path, open_log: OpenLog) -> None:
    write(open_log(tmp_path / "micro.log"), "hello")
    assert (tmp_path / "micro.log").read_text() == "hello\n"


def test_a_full_file_is_begun_anew_and_the_last_ones_are_kept(tmp_path: Path, open_log: OpenLog) -> None:
    path = tmp_path / "micro.log"
    write(open_log(path, 100), *(f"line {number:03}" for number in range(200)))
    kept = sorted(tmp_path.iterdir())
    assert [each.name for each in kept] == ["micro.log", *(f"micro.log.{n + 1}" for n in range(BACKUPS))]
    assert all(each.stat().st_size <= 100 for each in kept)
    assert path.read_text().endswith("line 199\n")


def test_it_goes_on_in_a_new_file_when_the_old_one_was_moved_away(tmp_path: Path, open_log: OpenLog) -> None:
    log = open_log(tmp_path / "micro.log")
    write(log, "before")
    (tmp_path / "micro.log").rename(tmp_path / "old.log")
    write(log, "after")
    assert (tmp_path / "old.log").read_text() == "before\n"
    assert (tmp_path / "micro.log").read_text() == "after\n"


def test_a_full_disk_is_told_once_and_stops_nothing(
    tmp_path: Path, open_log: OpenLog, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    path = tmp_path / "micro.log"
    path.symlink_to("/dev/full")
    log = open_log(path, 0, said.append)
    write(log, "one", "two")
    assert said == [f"The log file '{path}' cannot be written (No space left on device); serving goes on"]
    path.unlink()
    write(log, "three")
    assert said[1:] == [f"The log file '{path}' can be written again"]
    assert path.read_text() == "three\n"
    assert capsys.readouterr().err == ""


def test_that_it_failed_is_told_apart_from_that_it_works_again(tmp_path: Path, open_log: OpenLog) -> None:
    failures: list[str] = []
    path = tmp_path / "micro.log"
    path.symlink_to("/dev/full")
    log = open_log(path, 0, print, failures.append)
    write(log, "one", "two")
    path.unlink()
    write(log, "three")
    assert failures == [f"'{path}' cannot be written (No space left on device)"]


def test_who_is_told_may_log_in_turn(tmp_path: Path, open_log: OpenLog) -> None:
    said: list[str] = []
    path = tmp_path / "micro.log"
    path.symlink_to("/dev/full")

    def tell(text: str) -> None:
        said.append(text)
        write(log, text)

    log = open_log(path, 0, tell)
    write(log, "one")
    assert len(said) == 1


def test_a_full_file_grows_on_where_it_cannot_get_another_name(tmp_path: Path, open_log: OpenLog) -> None:
    path = tmp_path / "micro.log"
    said: list[str] = []
    # Refused to root too, which a folder that is only to be read is not.
    (tmp_path / f"micro.log.{BACKUPS}").mkdir()
    (tmp_path / f"micro.log.{BACKUPS - 1}").touch()
    write(open_log(path, 100, said.append), *(f"line {number:03}" for number in range(20)))
    assert path.read_text().splitlines() == [f"line {number:03}" for number in range(20)]
    assert said == []


def test_a_folder_that_was_taken_away_is_told_once_and_stops_nothing(
    tmp_path: Path, open_log: OpenLog
) -> None:
    said: list[str] = []
    folder = tmp_path / "logs"
    folder.mkdir()
    log = open_log(folder / "micro.log", 0, said.append)
    (folder / "micro.log").unlink()
    folder.rmdir()
    write(log, "one", "two")
    assert len(said) == 1 and "cannot be written (No such file or directory)" in said[0]


def test_a_file_that_cannot_be_written_from_the_start_is_refused(tmp_path: Path, open_log: OpenLog) -> None:
    with pytest.raises(ConfigError, match=r"cannot be written \(Is a directory\)"):
        open_log(tmp_path)
