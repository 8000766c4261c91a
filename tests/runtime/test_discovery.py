"""What commands find out about a Micro that runs with the same PID folder."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.errors import ConfigError
from micro.runtime.discovery import Running, find_running, settings_in_use
from micro.runtime.folders import claimed
from micro.runtime.settings_file import write_settings

NOBODY = 65534


@pytest.fixture
def ours(tmp_path: Path) -> Settings:
    """What a command resolves: the same folders as the running Micro's, and nothing else."""
    folders = {name: str(tmp_path / name) for name in ("log_folder_path", "pid_folder_path")}
    return replace(load_settings(folders, environ={}), state_folder_path=tmp_path / "state")


@pytest.fixture
def theirs(ours: Settings) -> Settings:
    ours.pid_folder_path.mkdir()
    return replace(ours, broker_url="redis://u:p@host", jobs_url="sqlite:///elsewhere", celery=True)


@pytest.fixture
def running(theirs: Settings) -> Iterator[Settings]:
    with claimed(theirs.pid_folder_path):
        write_settings(theirs)
        yield theirs


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be somebody else for a while, where this user is root."""
    own = os.geteuid()
    if own == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(own)


def test_the_settings_of_a_running_micro_are_found(ours: Settings, running: Settings) -> None:
    assert find_running(ours) == Running(os.getpid(), running)
    assert settings_in_use(ours) == running


def test_without_a_running_one_the_own_settings_hold(ours: Settings, tmp_path: Path) -> None:
    assert find_running(ours) is None
    assert settings_in_use(ours) == ours
    assert (tmp_path / "state").is_dir()


def test_one_that_is_only_starting_is_not_found(ours: Settings, theirs: Settings) -> None:
    with claimed(theirs.pid_folder_path):
        assert find_running(ours) is None


def test_what_a_killed_one_left_is_not_taken_for_it(ours: Settings, theirs: Settings) -> None:
    write_settings(theirs)
    with subprocess.Popen(["true"]) as gone:
        pass
    for pid in (gone.pid, os.getpid()):
        (ours.pid_folder_path / "micro.pid").write_text(f"{pid}\n")
        assert find_running(ours) is None
    with claimed(theirs.pid_folder_path):
        pass


def test_an_empty_pid_file_is_nobodys(ours: Settings, theirs: Settings) -> None:
    (ours.pid_folder_path / "micro.pid").touch()
    assert find_running(ours) is None


def test_one_of_another_user_is_not_passed_over(running: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="micro-test-") as name:
        theirs, own = Path(name) / "theirs", Path(name) / "own"
        theirs.mkdir()
        own.mkdir()
        own.chmod(0o777)
        Path(name).chmod(0o755)
        monkeypatch.setenv("HOME", str(own))
        monkeypatch.setenv("XDG_STATE_HOME", str(own))
        settings = replace(load_settings(environ={}), log_folder_path=own, pid_folder_path=theirs)
        with claimed(theirs):
            write_settings(settings)
            (theirs / "micro.settings").chmod(0o600 if os.geteuid() == 0 else 0)
            theirs.chmod(0o555)
            with unprivileged(), pytest.raises(ConfigError, match="as another user") as caught:
                settings_in_use(replace(settings, state_folder_path=own))
            theirs.chmod(0o755)
    assert str(theirs) in str(caught.value)
