"""Files that appear whole, locks, and processes that are alive or not."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from micro.runtime.files import create_whole, is_alive, lock, remove, write_whole


def test_a_process_is_alive_until_it_has_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        assert is_alive(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        if sys.platform == "linux":
            # It is a zombie now.
            assert not is_alive(process.pid)
    assert not is_alive(process.pid)
    # Of another user, unless the tests run as root.
    assert is_alive(1)


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    path.write_text("before")
    with path.open() as reader:
        write_whole(path, "after", 0o600)
        assert reader.read() == "before"
    assert path.read_text() == "after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_replaced_leaves_no_draft(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(tmp_path / "facts", "text")
    assert [each.name for each in tmp_path.iterdir()] == ["facts"]


def test_a_file_is_created_once(tmp_path: Path) -> None:
    path = tmp_path / "new"
    create_whole(path, b"first")
    create_whole(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_need_not_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    remove(path)
    remove(path)
    assert not path.exists()


def test_one_open_file_has_the_lock_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("ab") as first, path.open("ab") as second:
        assert lock(first.fileno())
        assert not lock(second.fileno())
        first.close()
        assert lock(second.fileno(), wait=True)
