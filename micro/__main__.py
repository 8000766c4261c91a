"""Runs the ``micro`` command for ``python -m micro``."""

from micro.cli import main

main()
