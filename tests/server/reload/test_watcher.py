"""The watcher tells of changes in folders that are made anew, and links that point elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event

from micro.server.reload import watcher

Wait = Callable[..., object]


def _watching(path: Path) -> Event:
    changed = Event()
    watcher._start([path], lambda name: "__pycache__" not in name, True, changed)
    return changed


def _sees(changed: Event, change: Callable[[int], object]) -> None:
    """See that a change is told of; the watching may begin a moment later."""
    for number in range(200):
        change(number)
        if changed.wait(0.05):
            changed.clear()
            return
    raise AssertionError("it was not told of")


def test_a_folder_that_goes_and_comes_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    changed = _watching(folder)
    _sees(changed, lambda number: (folder / "file.py").write_text(str(number)))
    (folder / "file.py").unlink()
    folder.rmdir()
    assert changed.wait(10)
    folder.mkdir()
    changed.clear()
    _sees(changed, lambda number: (folder / "file.py").write_text(str(number)))


def test_a_link_that_points_elsewhere_is_followed(tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    link = tmp_path / "plugins"
    link.symlink_to("old")
    changed = _watching(link)
    _sees(changed, lambda number: (tmp_path / "old" / "file.py").write_text(str(number)))
    draft = tmp_path / "draft"
    draft.symlink_to("new")
    draft.replace(link)
    assert changed.wait(15)
    changed.clear()
    _sees(changed, lambda number: (tmp_path / "new" / "file.py").write_text(str(number)))
