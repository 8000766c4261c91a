from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from micro import __version__
from micro.config.loading import default_file
from micro.config.settings import table

Run = Callable[..., Result]

FLAGS = [
    ("-G", "--gunicorn", "gunicorn", None, True),
    ("-C", "--celery", "celery", None, True),
    ("-p", "--plugin-path", "plugin_path", "/plugins", "/plugins"),
    ("-b", "--bind", "bind", "127.0.0.1:9", "127.0.0.1:9"),
    ("-gw", "--gunicorn-workers", "gunicorn_workers", "3", 3),
    ("-gt", "--gunicorn-threads", "gunicorn_threads", "8", 8),
    ("-B", "--broker-url", "broker_url", "redis://here", "redis://here"),
    ("-q", "--task-queues", "task_queues", "a, b", "a,b"),
    ("-H", "--hostname", "hostname", "there", "there"),
    ("-cw", "--celery-workers", "celery_workers", "4", 4),
    ("-ln", "--log-file-name", "log_file_name", "x.log", "x.log"),
    ("-lp", "--log-folder-path", "log_folder_path", "/logs", "/logs"),
    ("-ll", "--log-level", "log_level", "debug", "DEBUG"),
    ("-r", "--reload", "reload", "Manual", "manual"),
    ("-pp", "--pid-folder-path", "pid_folder_path", "/pids", "/pids"),
]


def _settings(result: Result) -> dict[str, tuple[Any, str]]:
    assert result.exit_code == 0, result.output
    return {row["setting"]: (row["value"], row["source"]) for row in json.loads(result.stdout)}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("form", [0, 1], ids=["short", "long"])
@pytest.mark.parametrize("case", FLAGS, ids=lambda case: case[2])
def test_each_flag_of_3x_reaches_its_setting_on_either_side_of_the_command(
    run: Run, case: tuple[Any, ...], form: int, place: str
) -> None:
    name, value, expected = case[2:]
    flag = [case[form], *([value] if value else [])]
    line = [*flag, "config", "--json"] if place == "before" else ["config", "--json", *flag]
    assert _settings(run(*line))[name] == (expected, "command line")


def test_every_setting_with_a_flag_is_tried_above() -> None:
    flags = {each.name: each.metadata["flags"] for each in table() if each.metadata["flags"]}
    assert flags == {name: (short, long) for short, long, name, *_ in FLAGS}


def test_switches_may_share_one_dash(run: Run) -> None:
    settings = _settings(run("-GC", "config", "--json"))
    assert settings["gunicorn"] == settings["celery"] == (True, "command line")


@pytest.mark.parametrize("flag", ["-c", "--config-file"])
def test_a_file_gives_settings(run: Run, tmp_path: Path, flag: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"celery": {"hostname": "filed"}}))
    assert _settings(run(flag, str(file), "config", "--json"))["hostname"] == ("filed", f"file {file}")


@pytest.mark.parametrize("flag", ["-d", "--default-values"])
def test_the_defaults_are_a_file_that_is_accepted(run: Run, tmp_path: Path, flag: str) -> None:
    printed = run(flag).stdout
    assert json.loads(printed) == default_file()
    file = tmp_path / "config.json"
    file.write_text(printed)
    assert _settings(run("-c", str(file), "-G", "config", "--json"))["bind"] == (
        "127.0.0.1:8000",
        f"file {file}",
    )


@pytest.mark.parametrize("args", [["-v"], ["--version"], ["-G", "-v"]])
def test_the_version(run: Run, args: list[str]) -> None:
    assert run(*args).stdout == f"micro (version {__version__})\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_the_help_names_flags_variables_commands_and_exit_codes(run: Run, flag: str) -> None:
    result = run(flag)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for short, long, name, *_ in FLAGS:
        assert f"{short}, {long}" in text
        assert f"[env: MICRO_{name.upper()}" in text
    assert "config Show every setting" in text
    assert "4 already running" in text


def test_the_help_is_up_to_date(run: Run) -> None:
    # With a second flag, click makes the help. Other versions of click break its lines elsewhere.
    remedy = "run `COLUMNS=80 micro -G -h > micro/cli/help.txt`"
    assert run("-h").stdout.split() == run("-G", "-h").stdout.split(), remedy


def test_nothing_to_serve_prints_the_help_and_is_an_error(run: Run) -> None:
    result = run()
    assert result.exit_code == 2
    assert result.stdout.startswith("Usage: micro [OPTIONS]")
    assert result.stderr == "\nError: nothing to serve; give -G for REST, -C for Celery, or both.\n"


@pytest.mark.parametrize(
    ("args", "last"),
    [
        (["--gunicron"], "--gunicorn"),
        (["plugns"], "Error: No such command 'plugns'; did you mean 'plugins'?"),
        (["zzz"], "Error: No such command 'zzz'; the commands are listed by `micro -h`."),
        (["-G", "-gw"], "'-gw' requires an argument"),
        (["-G", "-gw", "none"], "'gunicorn_workers' (command line): expected a whole number from 1 on"),
        (["-C", "-B", "here"], "found no '://'"),
        (["-C", "-B", "redis://:sesame@here:port"], "a port that is no number"),
        (["-G", "-b", "here"], "'bind' (command line): expected HOST:PORT or unix:PATH"),
        (["-G", "-c", "nowhere.json"], "`micro -d > nowhere.json` writes one"),
    ],
)
def test_a_wrong_command_line_is_refused_with_what_to_do(run: Run, args: list[str], last: str) -> None:
    result = run(*args)
    assert result.exit_code == 2
    assert last in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert "sesame" not in result.stderr


@pytest.mark.parametrize(
    ("content", "last"),
    [
        ("no json", "expected JSON, found something else"),
        ("[]", "expected a JSON object, found a list"),
        ('{"other": {}}', "unknown section 'other'; expected gunicorn, celery, micro."),
        ('{"micro": []}', "section 'micro': expected an object, found a list"),
        ('{"micro": {"colour": 1}}', "Unknown setting 'colour' in section 'micro'"),
        ('{"gunicorn": {"workers": "2"}}', "expected a number, found a string '2'; remove the quotes"),
        ('{"micro": {"celery": "maybe"}}', "expected one of 1/0/true/false/yes/no/on/off"),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_do(run: Run, tmp_path: Path, content: str, last: str) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    result = run("-G", "-c", str(file))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert last in result.stderr
    assert str(file) in result.stderr


def test_a_variable_is_refused_by_its_name(run: Run) -> None:
    result = run("-G", MICRO_CELERY_WORKERS="many")
    assert result.stderr == (
        "Error: Setting 'celery_workers' (MICRO_CELERY_WORKERS):"
        " expected a whole number from 1 on, found a string 'many'.\n"
    )


def test_a_plugin_adds_a_command(run: Run, plugin_dir: Callable[..., Path]) -> None:
    folder = plugin_dir(
        {
            "greeter/interface.py": """
                import click
                from micro import hookimpl

                @click.command()
                @click.argument("name")
                def greet(name):
                    click.echo(f"Hello {name}")

                @hookimpl
                def micro_commands(cli):
                    cli.add_command(greet)
            """
        }
    )
    assert run("-p", str(folder), "greet", "you").stdout == "Hello you\n"
    assert "did you mean 'greet'?" in run("-p", str(folder), "greeet").stderr
