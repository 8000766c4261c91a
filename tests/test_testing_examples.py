"""``plugin_example`` gives a test every example of the plugins under test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

Author = Callable[..., pytest.RunResult]

INTERFACE = """
    from datetime import date
    from micro import PluginBase, PluginDescription

    class Days(PluginBase):
        def run(self, day: date, times: int = 1) -> dict[str, date]:
            return {{"day": day}}

    plugin = PluginDescription(name="{name}", examples={examples})
"""
EXAMPLES = """[
        {"params": {"day": date(2026, 1, 2)}, "result": {"day": date(2026, 1, 2)}},
        {"parms": {}},
        {"params": {"day": "2026-01-02"}},
    ]"""
TESTS = """
    import json

    def test_example(micro, plugin_example):
        result = json.loads(micro.run(plugin_example.plugin, plugin_example.params))
        assert result == (plugin_example.result or result)
"""


@pytest.fixture
def author(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Author:
    """Run pytest in a folder of these files, with the plugin that Micro brings alone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*arguments: str, **files: str) -> pytest.RunResult:
        for name, content in files.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "micro",
            "-p",
            "no:cacheprovider",
            "-W",
            "error",
            "-v",
        ]
        return pytester.run(*command, *arguments)

    return run


def interface(name: str, examples: str = EXAMPLES) -> str:
    return INTERFACE.format(name=name, examples=examples)


def test_in_a_plugin_folder_they_are_those_of_its_plugin(author: Author) -> None:
    files = {
        "one/interface.py": interface("One"),
        "one/tests/test_one.py": TESTS,
        "two/interface.py": interface("Two"),
    }
    result = author(**files)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_example[[]One-1] PASSED*", "*test_example[[]One-3] PASSED*"])


def test_beside_plugin_folders_they_are_those_of_all(author: Author) -> None:
    files = {
        "one/interface.py": interface("One"),
        "two/interface.py": interface("Two"),
        "test_all.py": TESTS,
        "broken/interface.py": "1 / 0",
    }
    author(**files).assert_outcomes(passed=4)


def test_a_plugin_that_cannot_be_loaded_fails_instead_of_having_no_examples(author: Author) -> None:
    result = author(**{"one/interface.py": "1 / 0", "one/test_one.py": TESTS})

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Plugin 'one' was left out: *ZeroDivisionError*"])


def test_without_examples_the_test_is_skipped(author: Author) -> None:
    result = author(**{"one/interface.py": interface("One", "()"), "one/test_one.py": TESTS})

    result.assert_outcomes(skipped=1)


def test_the_ini_option_names_the_plugins(author: Author) -> None:
    files = {
        "pytest.ini": "[pytest]\nmicro_plugin_path = src\n",
        "src/one/interface.py": interface("One"),
        "tests/test_one.py": TESTS,
    }
    author(**files).assert_outcomes(passed=2)
