"""``micro help`` shows what a plugin takes, what it returns, and its examples as lines for a shell."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

PLAIN = """
    from micro import PluginBase, PluginDescription

    class {name}(PluginBase):
        def run(self, {parameters}) -> {returns}:
            '''Do nothing.'''
            return {{}}

    plugin = PluginDescription(name="{name}", plugin_help={help})
"""


@pytest.fixture
def path(plugins: Path) -> Path:
    return plugins / "typed"


@pytest.fixture
def shown(run: Run, path: Path) -> str:
    return run("help", "-p", str(path), "numbers").stdout


def calls(text: str) -> list[list[str]]:
    """The lines that are calls, as a shell splits them."""
    return [shlex.split(line) for line in text.splitlines() if line.startswith(("  micro", "  curl"))]


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables by their first cell; the first row of a name counts."""
    lines = [line.strip() for line in text.splitlines() if line.startswith("  ")]
    return {first: rest for first, *rest in (re.split(" {2,}", line) for line in reversed(lines))}


def test_it_says_what_the_plugin_is(shown: str, path: Path) -> None:
    assert shown.startswith(f"Numbers 1.0.0 (folder {path}/numbers)\n\nAdds numbers of every kind\n")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("PARAMETER", ["TYPE", "DEFAULT", "DESCRIPTION"]),
        ("whole", ["whole number, -1000 to 1000", "required", "A whole number."]),
        ("ratio", ["number, at least 0, below 1", "0.5", "A part of one."]),
        ("factors", ["list of whole number, at most 3 items", "[]"]),
        ("limit", ["whole number or null", "null"]),
        ("RESULT", ["TYPE", "DESCRIPTION"]),
        ("total", ["whole number"]),
    ],
)
def test_the_tables_tell_types_defaults_and_descriptions(shown: str, name: str, told: list[str]) -> None:
    assert rows(shown)[name] == told


def test_each_example_is_a_ready_call(shown: str, path: Path) -> None:
    header = ["-H", "Content-Type: application/json", "-d"]
    url = "http://127.0.0.1:8000/run/numbers"

    assert calls(shown) == [
        ["micro", "run", "-p", str(path), "numbers", "whole=3", "ratio=0.25"],
        ["curl", url, *header, '{"whole": 3, "ratio": 0.25}'],
        ["micro", "run", "-p", str(path), "numbers", "whole=1", "price=2.50", "factors=[1, 2]"],
        ["curl", url, *header, '{"whole": 1, "price": "2.50", "factors": [1, 2]}'],
    ]
    assert '  {"total": 3, "ratio": 0.25, "price": "1.00"}\n' in shown


@pytest.mark.parametrize("name", ["numbers", "texts", "shapes-trees", "anything", "declared-errors"])
def test_the_calls_shown_do_run(run: Run, path: Path, name: str) -> None:
    shown = calls(run("help", "-p", str(path), name).stdout)

    results = [run(*call[1:]) for call in shown if call[0] == "micro"]
    assert results
    assert all(each.exit_code == 0 for each in results)


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("0.0.0.0:81", ["http://127.0.0.1:81/run/numbers"]),
        (":81", ["http://127.0.0.1:81/run/numbers"]),
        ("[::1]:81", ["http://[::1]:81/run/numbers"]),
        ("unix:/run/m.sock", ["--unix-socket", "/run/m.sock", "http://localhost/run/numbers"]),
    ],
)
def test_curl_calls_the_address_of_the_settings(run: Run, path: Path, bind: str, address: list[str]) -> None:
    shown = run("help", "numbers", MICRO_BIND=bind, MICRO_PLUGIN_PATH=str(path)).stdout

    assert calls(shown)[0] == ["micro", "run", "numbers", "whole=3", "ratio=0.25"]
    assert calls(shown)[1][1 : len(address) + 1] == address


@pytest.mark.parametrize(
    ("parameters", "returns", "told"),
    [
        ("", "dict", ["Parameters: none", "Result: object"]),
        ("**others", "dict[str, int]", ["Parameters: anything", "Result: object of whole number"]),
        ("**others: int", "dict", ["Parameters: whole number"]),
        ("x, **others: int", "dict", ["...         whole number   optional"]),
    ],
)
def test_it_says_what_no_table_shows(
    run: Run, plugin_dir: Callable[..., Path], parameters: str, returns: str, told: list[str]
) -> None:
    source = PLAIN.format(name="Plain", parameters=parameters, returns=returns, help=None)
    shown = run("help", "-p", str(plugin_dir({"plain/interface.py": source})), "plain").stdout

    assert shown.startswith("Plain (folder ")
    assert "\n\nDo nothing.\n" in shown
    assert all(each in shown for each in told)


@pytest.mark.parametrize(("given", "told"), [("' text\\n'", "text"), ("{'a': ['b']}", '{"a": ["b"]}')])
def test_the_help_text_may_be_any_json(
    run: Run, plugin_dir: Callable[..., Path], given: str, told: str
) -> None:
    source = PLAIN.format(name="Plain", parameters="", returns="dict", help=given)
    shown = run("help", "-p", str(plugin_dir({"plain/interface.py": source})), "plain").stdout

    assert f"\n\n{told}\n" in shown


def test_json_is_what_help_answers_over_every_transport(run: Run, path: Path) -> None:
    told = json.loads(run("help", "-p", str(path), "texts", "--json").stdout)

    assert list(told) == ["name", "version", "help", "examples"]
    assert told["examples"][0]["params"]["moment"] == "2026-05-06T00:00:00Z"


def test_an_unknown_plugin_exits_with_2(run: Run, path: Path) -> None:
    result = run("help", "-p", str(path), "nothing")

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: plugin not found: 'nothing'")


def test_without_a_name_it_is_the_help_of_micro(run: Run) -> None:
    result = run("help")
    assert (result.exit_code, result.stdout.split()) == (0, run("--help").stdout.split())
