"""``micro run`` runs a plugin as every transport does, and tells errors as a command should."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from click.testing import Result

from micro.testing import WritePlugins

pytestmark = pytest.mark.measured

Run = Callable[..., Result]

ECHO = """
    from micro import PluginBase, PluginDescription, PluginError

    class Echo(PluginBase):
        def run(self, name: str, times: int = 1, tags: list[str] = []) -> dict[str, object]:
            if name == "nobody":
                raise PluginError("no such user", status=404, code="user_unknown")
            if name == "crash":
                raise TypeError("unsupported")
            if name == "huge":
                return {"number": 10 ** 5000}
            return {"name": name, "times": times, "tags": tags}

    plugin = PluginDescription(
        name="The Echo",
        description="Echoes",
        examples=[
            {"params": {"name": "Ada", "times": 2}},
            {"parms": {}},
            {"result": {}},
        ],
    )
"""
LOUD = """
    from micro import PluginBase, PluginDescription

    class Loud(PluginBase):
        def run(self):
            print("running")
            return {}

        @classmethod
        def teardown(cls):
            print("torn down")

    plugin = PluginDescription(name="Loud")
"""


@pytest.fixture
def path(plugin_dir: WritePlugins) -> Path:
    return plugin_dir({"echo/interface.py": ECHO, "loud/interface.py": LOUD})


@pytest.fixture
def run_echo(run: Run, path: Path) -> Run:
    """Run ``micro run -p ... the-echo`` with these arguments."""
    return partial(run, "run", "-p", str(path), "the-echo")


@pytest.fixture
def command(path: Path) -> list[str]:
    """The same, for a process of its own."""
    return [sys.executable, "-m", "micro", "run", "-p", str(path), "the-echo"]


def result(ended: Result) -> dict[str, object]:
    assert (ended.exit_code, ended.stderr) == (0, "")
    content: dict[str, object] = json.loads(ended.stdout)
    return content


def test_parameters_are_typed_by_the_contract(run_echo: Run) -> None:
    ended = run_echo("name=5", "times=3", "tags=a", "tags=b")

    assert result(ended) == {"name": "5", "times": 3, "tags": ["a", "b"]}


def test_the_result_in_a_pipe_is_what_the_other_transports_send(run_echo: Run) -> None:
    assert run_echo("name=Zoë").stdout == '{"name":"Zoë","times":1,"tags":[]}\n'


def test_the_plugin_is_torn_down_and_its_prints_go_where_they_go(run: Run, path: Path) -> None:
    assert run("run", "-p", str(path), "loud").stdout == "running\ntorn down\n{}\n"


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        (["--json", '{"name": "Ada"}'], b""),
        (["--json", "-"], b'{"name": "Ada"}'),
        (["-"], b'{"name": "Ada"}'),
        (["--json", "@params.json"], b""),
        (["name=Ada", "--json", '{"name": "Bob"}'], b""),
        (["name=Ada", "-"], b'{"name": "Bob"}'),
        (["--example", "1", "times=1"], b""),
        (["--example", "1", "--json", '{"times": 1}'], b""),
        (["--example", "3", "name=Ada"], b""),
    ],
)
def test_parameters_come_from_json_and_examples_too(
    run_echo: Run,
    arguments: list[str],
    stdin: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.json").write_text('{"name": "Ada"}')

    assert result(run_echo(*arguments, stdin=stdin)) == {"name": "Ada", "times": 1, "tags": []}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", '{"name": 1, "name": 2}'], "the key 'name' is given more than once"),
        (["--json", '{"times": NaN}'], "NaN is no JSON number"),
        (["--json", "[1]"], "--json: The body must be a JSON object of parameters, found a list"),
        (["--json", "@missing.json"], "--json: cannot read 'missing.json': No such file or directory."),
        (["--json", "{}", "-"], "Give the parameters either with --json or with -, not with both."),
        (["--example", "4"], "Plugin 'The Echo' has no example 4; its examples: 1, 3."),
        (["--example", "2"], "Plugin 'The Echo' has no example 2; its examples: 1, 3."),
        (["--example", "one"], "'one' is not a valid integer"),
        (["times"], "Expected KEY=VALUE or KEY:=JSON, found 'times'."),
    ],
)
def test_a_call_that_cannot_be_read_exits_with_2(run_echo: Run, arguments: list[str], message: str) -> None:
    ended = run_echo(*arguments)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert message in ended.stderr


def test_bytes_that_are_no_utf8_exit_with_2(run_echo: Run) -> None:
    ended = run_echo("-", stdin=b'{"name": "\xff"}')

    assert ended.exit_code == 2
    assert "UTF-8" in ended.stderr


def test_a_plugin_without_examples_says_so(run: Run, plugins: Path) -> None:
    ended = run("run", "-p", str(plugins / "typed"), "untyped", "--example", "1")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "its examples: none." in ended.stderr


def test_an_unknown_plugin_exits_with_2(run: Run, path: Path) -> None:
    ended = run("run", "-p", str(path), "the-ecko")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("Error: plugin not found: 'the-ecko'")


def test_one_wrong_parameter_is_told_in_one_line(run_echo: Run) -> None:
    ended = run_echo("name=Ada", "times=often")

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "Error: Parameter 'times': expected an integer, found a string",
        "`micro help the-echo` lists the parameters.",
    ]


def test_several_wrong_parameters_are_told_line_by_line(run_echo: Run) -> None:
    ended = run_echo("times=often", *(f"x{number}=1" for number in range(20)))

    first, *lines, more, hint = ended.stderr.splitlines()
    assert ended.exit_code == 2
    assert first == "Error: 22 parameters are wrong:"
    assert lines[:2] == ["  'name': required, but missing", "  'times': expected an integer, found a string"]
    assert (len(lines), more) == (20, "  and 2 more")
    assert hint == "`micro help the-echo` lists the parameters."


def test_a_declared_error_is_one_clean_line(run_echo: Run) -> None:
    ended = run_echo("name=nobody")

    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", "Error: no such user [user_unknown]\n")


def test_a_crash_exits_with_1_and_the_log_has_the_traceback(command: list[str]) -> None:
    ended = subprocess.run([*command, "name=crash"], capture_output=True, text=True)

    *log, last = ended.stderr.splitlines()
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "TypeError: unsupported" in log
    assert last.startswith("Error: Plugin 'The Echo' failed")


def test_the_result_is_utf8_whatever_the_locale(command: list[str]) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ended = subprocess.run([*command, "name=Zoë"], env=env, capture_output=True, encoding="utf-8")

    assert '"name":"Zoë"' in ended.stdout


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Zoë", '{\n  "name": "Zoë",\n  "times": 1,\n  "tags": []\n}\n'),
        ("huge", f'{{"number":1{"0" * 5000}}}\n'),
    ],
)
def test_on_a_terminal_the_result_is_indented(command: list[str], name: str, shown: str) -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen([*command, f"name={name}"], stdin=subprocess.DEVNULL, stdout=follower) as process:
        os.close(follower)
        output = b"".join(_chunks(leader))
    os.close(leader)

    assert process.returncode == 0
    assert shown in output.decode().replace("\r\n", "\n")


def _chunks(leader: int) -> Iterator[bytes]:
    # Linux ends a terminal with an error, others with nothing.
    with suppress(OSError):
        while chunk := os.read(leader, 65536):
            yield chunk
