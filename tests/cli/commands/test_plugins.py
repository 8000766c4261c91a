from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

GOOD = """
from micro import PluginBase, PluginDescription

class Good(PluginBase):
    def run(self):
        return {}

plugin = PluginDescription(name="Good One", version="1.2")
"""


@pytest.fixture
def folder(plugin_dir: Callable[..., Path]) -> Path:
    broken = "raise RuntimeError('no licence found')"
    return plugin_dir({"good/interface.py": GOOD, "broken/interface.py": broken})


def test_the_table_shows_what_is_loaded_and_what_is_left_out_and_why(run: Run, folder: Path) -> None:
    result = run("plugins", "-p", str(folder))
    assert result.exit_code == 0
    loaded, _, left_out = result.stdout.partition("LEFT OUT")
    assert loaded.split()[:3] == ["NAME", "VERSION", "ORIGIN"]
    assert f"Good One   1.2       folder {folder}/good" in loaded
    assert f"broken     folder {folder}/broken" in left_out
    assert "RuntimeError: no licence found" in left_out
    assert result.stderr == ""


def test_json_is_for_programs(run: Run, folder: Path) -> None:
    told = json.loads(run("-p", str(folder), "plugins", "--json").stdout)
    assert told["plugins"] == [{"name": "Good One", "version": "1.2", "origin": f"folder {folder}/good"}]
    (failed,) = told["failed"]
    assert (failed["name"], failed["origin"]) == ("broken", f"folder {folder}/broken")
    assert "RuntimeError: no licence found" in failed["cause"]


@pytest.mark.parametrize("words", ["plugins --json", "help good-one --json", "run good-one"])
def test_what_a_plugin_prints_as_it_is_loaded_is_not_in_the_json(run: Run, folder: Path, words: str) -> None:
    (folder / "good" / "interface.py").write_text(f"print('loading model ...')\n{GOOD}")
    result = run(*words.split(), "-p", str(folder))
    assert result.exit_code == 0
    assert isinstance(json.loads(result.stdout), dict)


def test_without_a_plugin_it_says_how_to_name_some(run: Run, tmp_path: Path) -> None:
    result = run("plugins", "-p", str(tmp_path))
    assert result.exit_code == 0
    assert "name a folder of plugin folders with -p" in result.stdout


def test_a_missing_folder_is_refused(run: Run) -> None:
    result = run("plugins", "-p", "nowhere")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Setting 'plugin_path' (command line): expected a folder")


def test_the_log_is_as_loud_afterwards_as_it_was(run: Run, folder: Path) -> None:
    before = logging.getLogger("micro").level
    run("plugins", "-p", str(folder))
    assert logging.getLogger("micro").level == before
