"""Plugin folders are found, and each has the same identifier in every process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from micro.plugin.imports.folders import LeftOut, find_folders, scan_folders

MakeFolders = Callable[..., Path]


@pytest.fixture
def make_folders(tmp_path: Path) -> MakeFolders:
    """Make plugin folders of these names in a plugin path."""

    def make(names: Iterable[str], path: str = "plugins") -> Path:
        for name in names:
            (tmp_path / path / name).mkdir(parents=True)
            (tmp_path / path / name / "interface.py").touch()
        return tmp_path / path

    return make


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["example"], {"example": "example"}),
        (["example-plugin"], {"example-plugin": "example_plugin"}),
        (["my.plugin v2"], {"my.plugin v2": "my_plugin_v2"}),
        (["2fast"], {"2fast": "p_2fast"}),
        (["class"], {"class": "p_class"}),
        (["match"], {"match": "match"}),
        (["-x"], {"-x": "p__x"}),
        (["naïve"], {"naïve": "naïve"}),
        (["ﬁve"], {"ﬁve": "five"}),
        (["a-b", "a_b"], {"a-b": "a_b_d44362d6", "a_b": "a_b"}),
        (["a b", "a-b"], {"a b": "a_b", "a-b": "a_b_d44362d6"}),
        (["Case", "case"], {"Case": "Case", "case": "case"}),
    ],
)
def test_identifiers(make_folders: MakeFolders, names: list[str], expected: dict[str, str]) -> None:
    folders = find_folders([make_folders(names)])
    assert {folder.name: folder.ident for folder in folders} == expected
    assert all(folder.ident.isidentifier() for folder in folders)
    assert [folder.name for folder in folders] == sorted(names)
    assert [folder.module for folder in folders] == [f"micro_plugins.{folder.ident}" for folder in folders]


def test_a_name_that_is_no_text_gets_an_identifier(make_folders: MakeFolders) -> None:
    names = [os.fsdecode(b"caf\xe9"), "caf_"]
    try:
        path = make_folders(names)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    idents = {folder.name: folder.ident for folder in find_folders([path])}
    assert idents["caf_"] == "caf_"
    assert idents[names[0]].startswith("caf__")


def test_what_is_hidden_is_passed_over_in_silence(
    make_folders: MakeFolders, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_folders([".git", "_draft", "__pycache__", "plugin"])
    (path / "README.md").touch()
    assert [folder.name for folder in find_folders([path])] == ["plugin"]
    assert not caplog.records


@pytest.mark.parametrize(
    "file",
    [
        "venv/pyvenv.cfg",
        "venv/lib/micro/plugin/interface.py",
        "docs/conf.py",
        "data/empty.csv",
        "tests/test_plugin.py",
        "shared/.cache/interface.py",
        "shared/_old/interface.py",
    ],
)
def test_what_has_nothing_to_do_with_plugins_too(make_folders: MakeFolders, file: str) -> None:
    path = make_folders(["plugin"])
    (path / file).parent.mkdir(parents=True)
    (path / file).touch()
    scan = scan_folders([path])
    assert ([folder.name for folder in scan.folders], scan.left_out) == (["plugin"], ())


def test_what_seems_to_be_a_plugin_is_told(
    make_folders: MakeFolders, caplog: pytest.LogCaptureFixture
) -> None:
    path = make_folders(["plugin"])
    (path / "greeting").mkdir()
    (path / "greeting" / "main.py").write_text("plugin = PluginDescription(name='Greeting')")
    left_out = LeftOut(
        path / "greeting",
        "it holds no interface.py, but main.py describes a plugin; name that file interface.py",
    )
    assert scan_folders([path]).left_out == (left_out,)
    assert not caplog.records
    assert [folder.name for folder in find_folders([path])] == ["plugin"]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, f"{left_out.path} is left out: {left_out.reason}")
    ]


def test_a_plugin_path_within_the_plugin_path_is_told(make_folders: MakeFolders, tmp_path: Path) -> None:
    inner = make_folders(["one", "two"], "outer/inner")
    (left_out,) = scan_folders([inner.parent]).left_out
    reason = f"it holds no interface.py, its folder one does; add {inner} to the plugin path"
    assert left_out == LeftOut(inner, reason)


def test_an_interface_that_leads_nowhere_is_told_when_it_is_imported(make_folders: MakeFolders) -> None:
    path = make_folders(["plugin"])
    (path / "linked").mkdir()
    (path / "linked" / "interface.py").symlink_to(path / "gone.py")
    assert [folder.name for folder in scan_folders([path]).folders] == ["linked", "plugin"]


@pytest.mark.skipif("os.geteuid() == 0", reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_told(make_folders: MakeFolders) -> None:
    path = make_folders(["plugin", "secret"])
    (path / "secret").chmod(0)
    try:
        (left_out,) = scan_folders([path]).left_out
    finally:
        (path / "secret").chmod(0o700)
    assert left_out == LeftOut(path / "secret", "it cannot be read: Permission denied")


def test_a_folder_in_two_paths_is_taken_from_the_first(make_folders: MakeFolders) -> None:
    first, second = make_folders(["b", "same"], "first"), make_folders(["a", "same"], "second")
    scan = scan_folders([first, second, first])
    assert [folder.path for folder in scan.folders] == [second / "a", first / "b", first / "same"]
    assert [each.path for each in scan.left_out] == [second / "same"]
    assert str(first / "same") in scan.left_out[0].reason


def test_a_path_that_cannot_be_read_hurts_no_other(make_folders: MakeFolders, tmp_path: Path) -> None:
    scan = scan_folders([tmp_path / "gone", make_folders(["plugin"])])
    assert [folder.name for folder in scan.folders] == ["plugin"]
    assert [each.path for each in scan.left_out] == [tmp_path / "gone"]
    assert "cannot be read" in scan.left_out[0].reason


def test_links_and_relative_paths_are_taken_as_they_are(
    make_folders: MakeFolders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_folders(["plugin"])
    (path / "linked").symlink_to(path / "plugin")
    (path / "circle").symlink_to(path / "circle")
    monkeypatch.chdir(tmp_path)
    folders = find_folders([Path("plugins")])
    assert [folder.path for folder in folders] == [path / "linked", path / "plugin"]
