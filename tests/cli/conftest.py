"""The command in this process, where no server starts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from micro.cli import main
from micro.plugin.imports import folders


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MICRO_") or name in ("HOST", "PORT")]:
        monkeypatch.delenv(name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    """Run ``micro`` with these arguments and variables; the result has the exit code and what it printed."""

    def run_main(*args: str, stdin: bytes | None = None, **env: str) -> Result:
        monkeypatch.setattr("sys.argv", ["micro", *args])
        return CliRunner().invoke(_Main(), args, input=stdin, env=env)

    yield run_main
    folders.uninstall()


class _Main:
    """Stands where the runner expects a click command, so that what ``main`` adds is run too."""

    name = "micro"

    def main(self, args: list[str], prog_name: str, **_: object) -> None:
        main()
