from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.errors import AlreadyRunning, ConfigError
from micro.runtime.folders import claimed, prepare_folders

CLAIM = """
import sys
from pathlib import Path
from micro.runtime.folders import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.read()
"""
FOLDERS = ("log_folder_path", "pid_folder_path", "state_folder_path")


@pytest.fixture
def unusable(tmp_path: Path) -> Path:
    """A folder that not even root can make."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "folder"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "xdg" / "micro"


def _named(**folders: Path) -> Settings:
    return load_settings({name: str(folder) for name, folder in folders.items()}, environ={})


def _by_default(**folders: Path) -> Settings:
    changes: dict[str, Any] = dict(folders)
    return replace(load_settings(environ={}), **changes)


def test_named_folders_are_made(tmp_path: Path) -> None:
    settings = _named(**{name: tmp_path / name / "deep" for name in FOLDERS})
    assert prepare_folders(settings) == (settings, "")
    assert all((tmp_path / name / "deep").is_dir() for name in FOLDERS)


@pytest.mark.skipif("sys.platform == 'darwin'", reason="there the state directory is elsewhere")
def test_defaults_that_cannot_be_written_give_way_to_the_users_own(
    tmp_path: Path, unusable: Path, state: Path
) -> None:
    settings = _by_default(log_folder_path=unusable, pid_folder_path=unusable, state_folder_path=tmp_path)
    settings, told = prepare_folders(settings)
    assert (settings.log_folder_path, settings.pid_folder_path) == (state / "log", state / "run")
    assert settings.state_folder_path == tmp_path
    assert (state / "log").is_dir()
    assert told == f"{unusable}, {unusable} cannot be written; instead used: {state / 'log'}, {state / 'run'}"


@pytest.mark.skipif("sys.platform == 'darwin'", reason="there the state directory is elsewhere")
def test_a_default_that_stands_in_a_file_gives_way_too(
    tmp_path: Path, unusable: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "log_folder_path", unusable)
    file = tmp_path / "config.json"
    folders = {"log": unusable, "pid": tmp_path, "state": tmp_path}
    content = {f"{name}_folder_path": str(folder) for name, folder in folders.items()}
    file.write_text(json.dumps({"micro": content}))
    settings = load_settings({"config_file": str(file)}, environ={})
    assert settings.source("log_folder_path").endswith("config.json")
    assert prepare_folders(settings)[0].log_folder_path == state / "log"


def test_who_has_no_home_is_told_what_to_set(unusable: Path, tmp_path: Path) -> None:
    program = f"""if True:
        import os
        from pathlib import Path
        from micro.errors import ConfigError
        from micro.config.loading import load_settings
        from micro.runtime.folders import prepare_folders
        from dataclasses import replace
        from platformdirs import user_state_path
        # What it imports that user may not read.
        user_state_path("micro")
        settings = load_settings(environ={{}})
        os.setuid(54321)
        folder = Path({str(unusable)!r})
        try:
            prepare_folders(replace(settings, log_folder_path=folder))
        except ConfigError as err:
            print(err.message)
    """
    if os.getuid():
        pytest.skip("only root can become another user")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={}, check=True)
    assert "no home directory for Micro's folders; set HOME, or MICRO_LOG_FOLDER_PATH" in done.stdout


@pytest.mark.parametrize("name", FOLDERS)
def test_a_named_folder_that_cannot_be_used_is_refused(
    tmp_path: Path, unusable: Path, state: Path, name: str
) -> None:
    folders = {each: tmp_path / each for each in FOLDERS} | {name: unusable}
    with pytest.raises(ConfigError, match=rf"'{name}' \(command line\).*Not a directory"):
        prepare_folders(_named(**folders))


@pytest.mark.skipif("os.geteuid() == 0", reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="is not writable"):
        prepare_folders(_named(**dict.fromkeys(FOLDERS, tmp_path)))


def test_it_says_so_when_the_users_own_cannot_be_used_either(
    unusable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(unusable))
    with pytest.raises(ConfigError, match="set 'log_folder_path' to another folder"):
        prepare_folders(_by_default(log_folder_path=unusable))


def test_a_claim_is_a_pid_file_while_it_lasts(tmp_path: Path) -> None:
    with claimed(tmp_path):
        assert (tmp_path / "micro.pid").read_text() == f"{os.getpid()}\n"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), claimed(tmp_path):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_second_claim_is_refused_until_the_first_ends_even_by_a_kill(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CLAIM, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "claimed\n"
        with pytest.raises(AlreadyRunning, match=rf"process {other.pid}\); `micro stop`"), claimed(tmp_path):
            pass
        assert (tmp_path / "micro.pid").exists()
        other.kill()
    with claimed(tmp_path):
        assert (tmp_path / "micro.pid").read_text() == f"{os.getpid()}\n"


def test_a_pid_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "micro.pid").mkdir()
    with pytest.raises(ConfigError, match=r"'.*micro.pid' cannot be written .*with -pp"), claimed(tmp_path):
        pass
