"""Entry point of all child processes: reads the settings and the role, sets up logging, runs the work."""

from __future__ import annotations

import importlib
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from micro import ready
from micro.errors import MicroError
from micro.layers import restore_settings
from micro.plugin.fingerprint import installed
from micro.runtime.settings_file import settings_file
from micro.server.logs import configure_logging
from micro.settings import Settings

REASON = "Error: "
"""The prefix of the line in which a child process reports why it ends."""


@dataclass(frozen=True)
class Role:
    """The role of a child process: its name, the generation of plugins it serves, its listening socket.

    ``listen`` is an inherited socket in gunicorn's notation, ``fd://N``, or empty.
    """

    name: str
    generation: int = 1
    listen: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The role as command line arguments."""
        return (self.name, str(self.generation), *filter(None, [self.listen]))


def run_child(
    main: Callable[[Settings, Role], int],
    argv: list[str] | None = None,
    prepare: Callable[[Settings], object] | None = None,
) -> int:
    """Run ``main`` with the settings file and the role that the supervisor gave as arguments.

    ``prepare`` comes before, and is done when the supervisor holds the process: it loads no plugin, and
    takes no work. Returns the exit code; a MicroError is told in one line.
    """
    file, name, *more = argv or sys.argv[1:]
    role = Role(name, int(more[0]) if more else 1, *more[1:])
    settings = restore_settings(Path(file).read_text())
    configure_logging(settings.log_level, settings.log_format, role.name)
    if prepare:
        _prepare(partial(prepare, settings))
    try:
        return main(settings, role)
    except MicroError as err:
        print(f"{REASON}{err.message}", file=sys.stderr, flush=True)
        return err.exit_code


def _prepare(prepare: Callable[[], object]) -> None:
    """Prepare, and where the supervisor holds the process wait until it lets it begin."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        prepare()
        return
    before = installed()
    prepare()
    os.read(0, 1)
    if installed() != before:
        # What was imported, and where Python looks for more, may be out of date.
        os.execv(sys.executable, sys.orig_argv)
    importlib.invalidate_caches()


def reason_in(lines: Sequence[str]) -> str:
    """Return the reason that a child process reported in its last lines, or an empty string."""
    return next((each.removeprefix(REASON) for each in reversed(lines) if each.startswith(REASON)), "")


def forget(settings: Settings, names: Iterable[str]) -> None:
    """Remove the settings file, and the ready files of the child processes of these names."""
    ready.remove(settings_file(settings))
    for name in names:
        ready.forget(settings, name)
