"""The shell completes commands, flags and plugin names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]
Complete = Callable[..., list[str]]

NOISY = """
    import sys
    from micro import PluginBase, PluginDescription

    print("plain,noise")
    print("noise", file=sys.stderr)

    class Noisy(PluginBase):
        def run(self):
            return {}

    plugin = PluginDescription(name="The Noisy One", description="Prints\\nwhen imported")
"""
BROKEN = "raise RuntimeError"
NAMELESS = NOISY.replace("The Noisy One", "!!!")


@pytest.fixture
def path(plugin_dir: Callable[..., Path]) -> str:
    files = {"noisy": NOISY, "broken": BROKEN, "nameless": NAMELESS}
    return str(plugin_dir({f"{name}/interface.py": source for name, source in files.items()}))


@pytest.fixture
def complete(run: Run) -> Complete:
    """What zsh is offered for the last of these words: lines of kind, value and help."""

    def of(*words: str, **env: str) -> list[str]:
        wanted = {"COMP_WORDS": " ".join(["micro", *words]), "COMP_CWORD": str(len(words))}
        result = run(_MICRO_COMPLETE="zsh_complete", **wanted, **env)
        assert (result.exit_code, result.stderr) == (0, "")
        return [line for line in result.stdout.splitlines() if line]

    return of


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_asks_micro(run: Run, shell: str) -> None:
    result = run("completion", shell)

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_MICRO_COMPLETE={shell}_complete" in result.stdout


def test_another_shell_is_refused_with_those_there_are(run: Run) -> None:
    result = run("completion", "tcsh")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.parametrize("command", ["run", "help"])
def test_plugin_names_are_completed_and_what_plugins_print_is_not_seen(
    complete: Complete, path: str, command: str
) -> None:
    assert complete(command, "-p", path, "the") == ["plain", "the-noisy-one", "Prints when imported"]
    assert complete("-p", path, command, "the")[1:2] == ["the-noisy-one"]
    assert complete(command, "the", MICRO_PLUGIN_PATH=path)[1:2] == ["the-noisy-one"]
    assert complete(command, "-p", path, "x") == []


def test_a_wrong_configuration_completes_nothing(complete: Complete) -> None:
    assert complete("run", "-p", "/nowhere", "the") == []


def test_commands_and_flags_are_completed(complete: Complete) -> None:
    assert complete("comp")[:2] == ["plain", "completion"]
    assert complete("run", "--exa")[:2] == ["plain", "--example"]


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_itself_completes_with_the_script(path: str, tmp_path: Path) -> None:
    micro = tmp_path / "bin" / "micro"
    micro.parent.mkdir()
    micro.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m micro "$@"\n')
    micro.chmod(0o755)
    script = """
        eval "$(micro completion bash)"
        COMP_WORDS=(micro run the) COMP_CWORD=2
        _micro_completion micro
        echo "${COMPREPLY[@]}"
    """
    env = {**os.environ, "PATH": f"{micro.parent}{os.pathsep}{os.environ['PATH']}", "MICRO_PLUGIN_PATH": path}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("the-noisy-one\n", "")
