"""Entry point of all child processes: reads the settings and the role, sets up logging, runs the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro.config.loading import restore_settings
from micro.config.settings import Settings
from micro.errors import MicroError
from micro.runtime import ready_files
from micro.runtime.files import remove
from micro.runtime.settings_file import settings_file
from micro.server.log_config import configure_logging

if TYPE_CHECKING:
    from micro.service import Micro

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


def run_child(main: Callable[[Settings, Role], int], argv: list[str] | None = None) -> int:
    """Run ``main`` with the settings file and the role that the supervisor gave as arguments.

    Returns the exit code; a MicroError is printed as one line.
    """
    file, name, *more = argv or sys.argv[1:]
    role = Role(name, int(more[0]) if more else 1, *more[1:])
    settings = restore_settings(Path(file).read_text())
    configure_logging(settings.log_level, settings.log_format, role.name)
    try:
        return main(settings, role)
    except MicroError as err:
        print(f"{REASON}{err.message}", file=sys.stderr, flush=True)
        return err.exit_code


def load(settings: Settings, role: Role) -> tuple[Micro, dict[str, Any]]:
    """Load the plugins; return Micro, and how many were loaded, which were left out, and what stands for
    the files that were loaded.
    """
    # Imported late: the supervisor uses this module too, and loads no plugins.
    from micro.plugin.fingerprint import fingerprints
    from micro.service import Micro

    # Fingerprint first: a file that changes during the import must look changed afterwards.
    files = {} if settings.reload == "off" else fingerprints(settings)
    micro = Micro(settings, generation=role.generation)
    return micro, {"plugins": len(micro.loaded), "failed": micro.loaded.failures(), "files": files}


def reason_in(lines: Sequence[str]) -> str:
    """Return the reason that a child process reported in its last lines, or an empty string."""
    return next((each.removeprefix(REASON) for each in reversed(lines) if each.startswith(REASON)), "")


def forget(settings: Settings, names: Iterable[str]) -> None:
    """Remove the settings file, and the ready files of the child processes of these names."""
    remove(settings_file(settings))
    for name in names:
        ready_files.forget(settings, name)
