"""``micro check`` finds what is wrong with a plugin before its callers do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Run = Callable[..., Result]
WritePlugins = Callable[..., Path]
Check = Callable[..., list[dict[str, Any]]]

PLUGIN = """
from micro import PluginBase, PluginDescription, PluginError, hookimpl
import itertools

numbers = itertools.count()

class Plugin(PluginBase):
    def run(self, {parameters}):
        {body}

plugin = PluginDescription(
    name="The Plugin", version="1.0", description="Checked", examples=[{example}]
)
{hooks}
"""
GOOD = {"parameters": "name: str = 'Ada'", "body": "return {'name': name}", "example": "{}", "hooks": ""}
DICE = "return {'number': next(numbers)}"

BROKEN_VALIDATOR = """
from typing import Annotated
from pydantic import BeforeValidator

Size = Annotated[int, BeforeValidator({1: 1}.__getitem__)]
"""


def source(**parts: str) -> str:
    return PLUGIN.format(**{**GOOD, **parts})


@pytest.fixture
def check(run: Run, plugin_dir: WritePlugins) -> Check:
    """Check a plugin made of these parts; return the findings."""

    def of(**parts: str) -> list[dict[str, Any]]:
        path = plugin_dir({"plugin/interface.py": source(**parts)})
        result = run("check", str(path), "--json")
        findings: list[dict[str, Any]] = json.loads(result.stdout)
        errors = [each for each in findings if each["level"] == "error"]
        assert result.exit_code == (1 if errors else 0)
        assert all(each["plugin"] == "The Plugin" and each["todo"] for each in findings)
        return findings

    return of


def told(findings: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["where"], each["what"]) for each in findings]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"example": "{'params': {'name': 'Bob'}, 'result': {'name': 'Bob'}}"},
        {"parameters": "size: float", "body": "return {}", "example": "{'params': {'size': 1}}"},
        {"parameters": "**others: int", "body": "return others", "example": "{'params': {'a': 1}}"},
        {"parameters": "plugin_name: str", "body": "return {}", "example": "{'params': {'plugin_name': ''}}"},
        {"body": DICE},
        {"hooks": BROKEN_VALIDATOR, "parameters": "size: 'Size' = 1", "body": "return {}"},
        {
            "parameters": "data: bytes = b''",
            "body": "return {'data': data}",
            "example": "{'result': {'data': b''}}",
        },
    ],
)
def test_a_sound_plugin_has_no_findings(check: Check, parts: dict[str, str]) -> None:
    assert check(**parts) == []


@pytest.mark.parametrize(
    ("parts", "findings"),
    [
        ({"body": "return {'name': 'Bob'}", "example": "{'result': {'name': 'Ada'}}"},
         [("example 1", 'the result differs: at /name expected "Ada", found "Bob"')]),
        ({"example": "{'params': {'name': 5}}"},
         [("example 1", "refused: Parameter 'name': expected a string, found an integer "
                        "[invalid-parameters]")]),
        ({"body": "raise PluginError('gone', status=410, code='gone')"},
         [("example 1", "refused: gone [gone]")]),
        ({"body": "raise PluginError('down', status=500, code='down')"},
         [("example 1", "refused: down [down]")]),
        ({"body": "len(5)"},
         [("example 1", "run() failed: TypeError: object of type 'int' has no len() (interface.py:9)")]),
        ({"body": "__import__('json').loads('{')"},
         [("example 1", "run() failed: JSONDecodeError: Expecting property name enclosed in double quotes: "
                        "line 1 column 2 (char 1) (interface.py:9)")]),
        ({"body": "return 5"},
         [("example 1", "refused: Micro plugins must return a Python dictionary, "
                        "found an object of type 'int' [bad-result]")]),
        ({"example": "{}, {'parms': 1}"},
         [("example 2", "expected no keys but 'params' and 'result', found 'parms'")]),
    ],
)  # fmt: skip
def test_what_callers_would_stumble_over_is_an_error(
    check: Check, parts: dict[str, str], findings: list[tuple[str, str]]
) -> None:
    assert told(check(**parts)) == findings


def test_a_run_that_fails_is_told_once(run: Run, plugin_dir: WritePlugins) -> None:
    result = run("check", str(plugin_dir({"plugin/interface.py": source(body="1 / 0")})))

    assert result.stdout.count("ZeroDivisionError") == 1
    assert result.stderr == ""


def test_the_contract_s_own_findings_are_errors(check: Check) -> None:
    (finding,) = check(parameters="name: 'Unknown' = 1")

    assert (finding["level"], finding["where"]) == ("error", "signature")
    assert "parameter 'name'" in finding["what"]


def test_what_a_description_lacks_is_a_warning(run: Run, plugin_dir: WritePlugins) -> None:
    bare = source().replace('version="1.0", description="Checked", examples=[{}]', "")
    result = run("check", str(plugin_dir({"plugin/interface.py": bare})))

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[3:6]] == ["warning"] * 3
    assert "it has no description" in result.stdout
    assert result.stdout.endswith("Checked 1 plugin: no error, 3 warnings.\n")


@pytest.fixture
def path(plugin_dir: WritePlugins) -> Path:
    """A plugin path with a sound plugin, a broken one, hooks alone, one misplaced, and notes."""
    hooks_alone = "from micro import hookimpl\n@hookimpl\ndef micro_stop():\n    pass\n"
    return plugin_dir(
        {
            "sound/interface.py": source(),
            "broken/interface.py": "1 / 0",
            "hooks/interface.py": hooks_alone,
            "misplaced/main.py": source(),
            "notes/README.md": "",
            "_hidden/interface.py": source(),
        }
    )


def findings(result: Result) -> list[tuple[str, str]]:
    return [(each["level"], each["plugin"]) for each in json.loads(result.stdout)]


@pytest.mark.parametrize(
    ("target", "found", "code"),
    [
        ("sound", [], 0),
        ("broken", [("error", "broken")], 1),
        ("hooks", [], 0),
        ("notes/..", [("error", "misplaced"), ("error", "broken")], 1),
    ],
)
def test_a_path_is_a_plugin_folder_or_holds_several(
    run: Run, path: Path, target: str, found: list[tuple[str, str]], code: int
) -> None:
    result = run("check", str(path / target), "--json")

    assert (findings(result), result.exit_code) == (found, code)
    # The findings tell it; the log does not tell it again.
    assert result.stderr == ""


def test_a_path_may_be_the_folder_one_is_in(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path / "sound")

    assert run("check", ".").stdout == "Checked 1 plugin: no error, no warning.\n"


@pytest.mark.parametrize(
    ("name", "found", "code"),
    [("The Plugin", [], 0), ("the-plugin", [], 0), ("BROKEN", [("error", "broken")], 1)],
)
def test_a_name_is_a_plugin_that_is_loaded_or_was_left_out(
    run: Run, path: Path, name: str, found: list[tuple[str, str]], code: int
) -> None:
    result = run("check", "-p", str(path), name, "--json")

    assert (findings(result), result.exit_code) == (found, code)


def test_a_package_s_own_folder_may_have_its_plugin_s_name(
    run: Run, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "the-plugin" / "src").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    assert findings(run("check", "-p", str(path), "the-plugin", "--json")) == []


def test_without_a_target_all_are_checked(run: Run, path: Path) -> None:
    result = run("check", "-p", str(path))

    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stdout
    assert result.stdout.endswith("Checked 3 plugins: 2 errors, no warning.\n")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "{path}/notes",
            "Error: No plugin in {path}/notes: expected an interface.py in it, or in folders in it",
        ),
        ("{path}/_hidden", "Error: No plugin in {path}/_hidden: expected an interface.py in it"),
        ("nothing", "Error: plugin not found: 'nothing'"),
    ],
)
def test_what_is_not_there_exits_with_2(run: Run, path: Path, target: str, message: str) -> None:
    result = run("check", target.format(path=path), MICRO_PLUGIN_PATH=str(path))

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith(message.format(path=path))


def test_what_plugins_print_does_not_disturb_the_json(run: Run, plugin_dir: WritePlugins) -> None:
    loud = source(body="print('loud'); return {}", hooks="print('imported')")
    result = run("check", str(plugin_dir({"plugin/interface.py": loud})), "--json")

    assert json.loads(result.stdout) == []
    assert result.stderr.splitlines() == ["imported", "loud"]


def test_where_there_is_nothing_to_check_it_says_so(run: Run, tmp_path: Path) -> None:
    result = run("check", "-p", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: No plugin is loaded; name a folder of plugin folders with -p\n"
