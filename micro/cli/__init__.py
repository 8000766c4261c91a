"""The command ``micro``: its flags start the service, its subcommands, one file each, do the rest."""

from __future__ import annotations

import sys

# Each name is a module of this package; only the module of the command that is called is imported.
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
    # Importing click takes twice as long as Python's own start, so these two flags do without click.
    if sys.argv[1:] in (["-h"], ["--help"]):
        from micro.cli.help_text import TEXT

        print(TEXT, end="")
    elif sys.argv[1:] in (["-v"], ["--version"]):
        from micro._version import __version__

        print(f"micro (version {__version__})")
    else:
        _run()


def _run() -> None:
    from micro.cli.group import cli
    from micro.errors import MicroError

    try:
        cli(prog_name="micro")
    except MicroError as err:
        print(f"Error: {err.message}", file=sys.stderr)
        sys.exit(err.exit_code)
