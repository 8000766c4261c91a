"""The command ``micro``: its flags start the service, its commands do the rest, one file a command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from micro.server.ahead import Ahead

# Each is a module of this package; only the one that is called is imported.
COMMANDS = {
    "check": "Check plugins: import, description, contract, examples.",
    "completion": "Print the script that makes a shell complete `micro`.",
    "config": "Show every setting, its value and where it came from.",
    "health": "Check whether the running Micro does its work.",
    "help": "Show what a plugin takes and returns, and how to call it.",
    "jobs": "List, follow, cancel and repeat jobs.",
    "logs": "Show the log of the running Micro, and follow it.",
    "new": "Write a new plugin, with a test and a README.",
    "plugins": "List the plugins that are loaded, and those that were left out.",
    "reload": "Bring changed plugins into service.",
    "run": "Run a plugin here and print its JSON.",
    "status": "Show what the running Micro does.",
    "stop": "Stop the running Micro.",
}


def main() -> None:
    """Run the command and end the process with its exit code."""
    # click alone takes twice as long as Python's own start: these two do without.
    if sys.argv[1:] in (["-h"], ["--help"]):
        from micro.cli.help_text import TEXT

        print(TEXT, end="")
    elif sys.argv[1:] in (["-v"], ["--version"]):
        from micro import __version__

        print(f"micro (version {__version__})")
    else:
        _run()


def _run() -> None:
    from micro.server.ahead import ahead_of

    # Before the other imports, which take as long as a third of its own.
    with ahead_of(sys.argv[1:]) as ahead:
        _call(ahead)


def _call(ahead: Ahead | None) -> None:
    from micro.cli.group import cli
    from micro.errors import MicroError

    try:
        cli(prog_name="micro", obj=ahead)
    except MicroError as err:
        print(f"Error: {err.message}", file=sys.stderr)
        sys.exit(err.exit_code)
