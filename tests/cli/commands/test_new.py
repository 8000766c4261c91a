"""``micro new`` writes a plugin that passes its tests and every check as it is, and overwrites nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

PYTEST = shutil.which("pytest", path=sysconfig.get_path("scripts")) or ""
FOLDER = ["README.md", "greeting.py", "interface.py", "tests/test_my_plugin.py"]
PACKAGE = [
    "README.md",
    "pyproject.toml",
    "src/my_plugin/__init__.py",
    "src/my_plugin/greeting.py",
    "tests/test_my_plugin.py",
]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def run_pytest(folder: Path, **env: str) -> str:
    """Run pytest as the author of a plugin does, and return its last line."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        # Of the plugins installed here Micro's is loaded as ever; those of our own tests take seconds.
        [PYTEST, "-p", "micro", "-p", "no:cacheprovider", "-W", "error"],
        cwd=folder,
        env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def installed(folder: Path, site: Path) -> Path:
    """Write what ``pip install -e`` leaves of the package's metadata."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    info = site / "my_plugin.dist-info"
    info.mkdir(parents=True)
    headers = {"Metadata-Version": "2.1", "Name": "name", "Version": "version", "Summary": "description"}
    (info / "METADATA").write_text(
        "".join(f"{header}: {project.get(key, key)}\n" for header, key in headers.items())
    )
    points = project["entry-points"]["micro.plugins"].items()
    (info / "entry_points.txt").write_text("[micro.plugins]\n" + "".join(f"{k} = {v}\n" for k, v in points))
    return site


@pytest.mark.parametrize(("options", "made"), [([], FOLDER), (["--package"], PACKAGE)])
def test_it_lists_what_it_made_and_what_to_do_next(
    run: Run, tmp_path: Path, options: list[str], made: list[str]
) -> None:
    result = run("new", "my-plugin", *options)

    head, *listed = result.stdout.partition("\n\n")[0].splitlines()
    assert (result.exit_code, result.stderr) == (0, "")
    assert head == "Created my-plugin:"
    assert [each.strip() for each in listed] == files(tmp_path / "my-plugin") == made
    assert "\nNext:\n" in result.stdout
    assert "  pytest my-plugin\n" in result.stdout


def test_nothing_of_the_template_is_left_open(run: Run, tmp_path: Path) -> None:
    run("new", "my-plugin")
    run("new", "my-package", "--package")

    texts = [each.read_text() for each in tmp_path.rglob("*") if each.is_file()]
    assert not [text for text in texts if "$" in text or "IDENT" in text]


@pytest.mark.parametrize("where", ["my-plugin", "."])
def test_the_tests_of_a_folder_pass_in_it_and_above_it(run: Run, tmp_path: Path, where: str) -> None:
    run("new", "my-plugin")

    assert "3 passed" in run_pytest(tmp_path / where)


def test_the_tests_pass_within_a_project_of_other_things(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    run("new", "my-plugin", "--path", "some/plugins")
    run("new", "other", "--path", "some/plugins")

    assert "6 passed" in run_pytest(tmp_path)


def test_a_folder_has_nothing_to_mend_and_runs(run: Run) -> None:
    run("new", "my-plugin")

    assert run("check", "my-plugin").stdout == "Checked 1 plugin: no error, no warning.\n"
    assert run("run", "-p", ".", "my-plugin", "name=Ada").stdout == '{"message":"Hello Ada!"}\n'


def test_a_package_has_nothing_to_mend_and_passes_its_tests_once_installed(run: Run, tmp_path: Path) -> None:
    run("new", "my-plugin", "--package")
    folder = tmp_path / "my-plugin"
    env = {"PYTHONPATH": f"{installed(folder, tmp_path / 'site')}{os.pathsep}{folder / 'src'}"}

    assert "3 passed" in run_pytest(folder, **env)
    command = [sys.executable, "-m", "micro", "check", "my-plugin"]
    checked = subprocess.run(
        command, cwd=tmp_path / "site", env={**os.environ, **env}, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout) == (0, "Checked 1 plugin: no error, no warning.\n")


def test_the_package_names_its_entry_point(run: Run, tmp_path: Path) -> None:
    run("new", "My_Plugin", "--package")

    project = tomllib.loads((tmp_path / "My_Plugin" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "My_Plugin"
    assert project["entry-points"]["micro.plugins"] == {"My_Plugin": "my_plugin"}


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_what_exists_is_left_as_it_is(run: Run, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "my-plugin")

    result = run("new", "my-plugin")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "my-plugin exists already and is left as it is." in result.stderr
    assert files(tmp_path) in ([], ["my-plugin"])


def test_a_place_that_cannot_be_written_exits_with_2(run: Run) -> None:
    result = run("new", "my-plugin", "--path", "/proc/self/nowhere")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "/proc/self/nowhere/my-plugin cannot be written: " in result.stderr


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "2fast", "-p", "_private", "with space", "a--b", "a-", "été", "a\n"]
)
def test_a_name_that_no_folder_or_module_can_have_is_refused(run: Run, tmp_path: Path, name: str) -> None:
    result = run("new", "--", name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert "Expected a name of a letter" in result.stderr
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["class", "none", "Micro", "micro-plugins", "plugin-base"])
def test_a_name_that_means_something_else_is_refused(run: Run, name: str) -> None:
    result = run("new", name)

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"The name {name!r} is Python's or Micro's own; choose another." in result.stderr


def test_a_package_cannot_hide_an_installed_module_but_a_folder_can(run: Run) -> None:
    result = run("new", "json", "--package")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "A module 'json' is installed here; choose another name." in result.stderr
    assert run("new", "json").exit_code == 0
    assert run("run", "-p", ".", "json", "name=Ada").stdout == '{"message":"Hello Ada!"}\n'
