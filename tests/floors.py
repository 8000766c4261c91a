"""Writes the lowest versions that setup.cfg accepts, as requirements for pip: for ``tox -e floors``."""

from __future__ import annotations

import sys
from configparser import ConfigParser
from pathlib import Path

from packaging.requirements import Requirement

SETUP = Path(__file__).parents[1] / "setup.cfg"
EXTRAS = ("otel", "postgresql")


def floors() -> list[str]:
    """Return ``name==version`` for what users install; a marker stays."""
    config = ConfigParser()
    config.read(SETUP)
    extras = [config["options.extras_require"][each] for each in EXTRAS]
    lines = "\n".join([config["options"]["install_requires"], *extras]).split("\n")
    return [_floor(Requirement(line)) for line in lines if line]


def _floor(requirement: Requirement) -> str:
    version = next(each.version for each in requirement.specifier if each.operator == ">=")
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    marker = f"; {requirement.marker}" if requirement.marker else ""
    return f"{requirement.name}{extras}=={version}{marker}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text("\n".join(floors()))
