"""Changed files are noticed, and those that are no plugin's code are not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.plugin.fingerprint import INSTALLED, fingerprints, is_being_installed, tells_of_packages

Look = Callable[[], dict[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins" / "one"
    (folder / "core").mkdir(parents=True)
    for name in ("interface.py", "core/part.py"):
        (folder / name).write_text("old")
    return folder


@pytest.fixture
def look(folder: Path) -> Look:
    settings = load_settings({"plugin_path": str(folder.parent)}, environ={})
    return lambda: fingerprints(settings)


def touch(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name", ["interface.py", "core/part.py", "core/new.py", "fast.so", "sub/new.py"])
def test_a_change_of_code_is_seen(folder: Path, look: Look, name: str) -> None:
    before = look()
    touch(folder / name, "new")
    after = look()
    assert after.keys() == before.keys() == {str(folder), INSTALLED}
    assert after[str(folder)] != before[str(folder)]
    assert after[INSTALLED] == before[INSTALLED]


@pytest.mark.parametrize("name", ["data.json", "__pycache__/x.pyc", ".x.py.swp", ".git/x.py", "x.py~"])
def test_what_is_no_code_is_not_seen(folder: Path, look: Look, name: str) -> None:
    before = look()
    touch(folder / name, "new")
    assert look() == before


def test_an_edit_that_leaves_size_and_time_is_seen(folder: Path, look: Look) -> None:
    file = folder / "interface.py"
    os.utime(file, (10**9, 10**9))
    before = look()
    file.write_text("new")
    os.utime(file, (10**9, 10**9))
    assert look() != before


def test_folders_that_come_and_go_are_seen(folder: Path, look: Look) -> None:
    two = folder.parent / "two"
    touch(two / "interface.py", "new")
    assert str(two) in look()
    (two / "interface.py").unlink()
    assert look().keys() == {str(folder), INSTALLED}


def test_links_are_followed_once(folder: Path, look: Look, tmp_path: Path) -> None:
    (folder / "back").symlink_to(folder)
    (folder / "gone.py").symlink_to(folder / "nothing.py")
    elsewhere = tmp_path / "elsewhere"
    touch(elsewhere / "far.py", "old")
    (folder / "linked").symlink_to(elsewhere)
    before = look()
    touch(elsewhere / "far.py", "newer")
    assert look() != before


def test_packages_that_come_are_seen(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = look()
    (site / "module.py").touch()
    assert look() == before
    (site / "package-1.0.dist-info").mkdir()
    assert look()[INSTALLED] != before[INSTALLED]


def test_pip_is_seen_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not is_being_installed(time.time() - 60)
    (tmp_path / "~ackage").mkdir()
    assert is_being_installed(time.time() - 60)
    # Left by one that was interrupted long ago.
    assert not is_being_installed(time.time() + 60)


def test_names_that_tell_of_packages() -> None:
    names = ["a-1.dist-info", "a.egg-info", "a.pth", "~ackage", "module.py", "micro.log"]
    assert [name for name in names if tells_of_packages(name)] == names[:4]
