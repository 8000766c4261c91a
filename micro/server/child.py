"""What the child processes share: their settings, their role, their exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micro import ready
from micro.errors import MicroError
from micro.layers import dump_settings, restore_settings
from micro.runtime.files import remove
from micro.server.logs import configure_logging
from micro.settings import Settings

if TYPE_CHECKING:
    from micro.service import Micro

REASON = "Error: "
"""What the line begins with in which a child tells why it ends."""


def settings_file(settings: Settings) -> Path:
    """Name the file that carries the settings to the children."""
    return settings.pid_folder_path / "micro.settings"


def write_settings(settings: Settings) -> None:
    """Write the resolved settings for the children; the file is the owner's alone, as it holds secrets."""
    path = settings_file(settings)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(dump_settings(settings))


@dataclass(frozen=True)
class Role:
    """Which process a child is: its name, the generation it serves, what it listens on.

    ``listen`` is an address as gunicorn has it, of a socket that the supervisor has opened.
    """

    name: str
    generation: int = 1
    listen: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The role as a command line has it."""
        return (self.name, str(self.generation), *filter(None, [self.listen]))


def run_child(main: Callable[[Settings, Role], int], argv: list[str] | None = None) -> int:
    """Run ``main`` with the settings file and the role that the supervisor gave as arguments.

    Returns the exit code; a MicroError is told in one line.
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

    # Before: of what changes meanwhile it may not be known which version was loaded.
    files = {} if settings.reload == "off" else fingerprints(settings)
    micro = Micro(settings, generation=role.generation)
    return micro, {"plugins": len(micro.loaded), "failed": micro.loaded.failures(), "files": files}


def reason_in(lines: Sequence[str]) -> str:
    """Return the reason that a child told among its last lines, empty if it told none."""
    return next((each.removeprefix(REASON) for each in reversed(lines) if each.startswith(REASON)), "")


def forget(settings: Settings, names: Iterable[str]) -> None:
    """Remove the files of the children of these names, and the settings of all."""
    remove(settings_file(settings))
    for name in names:
        ready.forget(settings, name)
