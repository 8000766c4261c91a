"""Runs a child process: ``python -m micro.server MODULE FILE NAME [GENERATION [LISTEN]]``."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType

from micro.config.settings import Settings
from micro.server.child import Role, run_child


def main(argv: list[str] | None = None) -> int:
    """Import a module of this package and run it as ``run_child`` says; return the exit code."""
    # Imported objects live as long as the process. Garbage collection during imports would find nothing.
    gc.disable()
    name, *arguments = argv or sys.argv[1:]
    module = import_module(f"micro.server.{name}")
    return run_child(lambda *given: _work(module, *given), arguments)


def _work(module: ModuleType, settings: Settings, role: Role) -> int:
    # Exclude the imported objects from later collections too. A collection writes to the objects that it
    # visits, so forked processes would get copies of memory pages that they could share.
    gc.freeze()
    gc.enable()
    code: int = module.main(settings, role)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
