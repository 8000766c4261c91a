"""The command ``micro``: its flags start the service, its subcommands, one file each, do the rest."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and end the process with its exit code."""
    # Importing click takes twice as long as Python's own start, so these two flags do without click:
    # help.txt is click's help, written down. Importing pathlib would add 5 ms.
    if sys.argv[1:] in (["-h"], ["--help"]):
        with open(f"{__path__[0]}/help.txt", encoding="utf-8") as text:  # noqa: PTH123
            print(text.read(), end="")
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
