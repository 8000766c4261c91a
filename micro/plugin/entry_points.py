"""Finds installed plugins through their entry points in the group ``micro.plugins``."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses
from itertools import chain

from importlib_metadata import Distribution, EntryPoint, PackageMetadata

from micro.errors import PluginLoadError, one_line
from micro.plugin.names import as_asked

GROUP = "micro.plugins"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """One entry point, with the metadata of its distribution."""

    name: str
    entry_point: EntryPoint
    distribution: str
    version: str | None
    author: str | None
    author_email: str | None
    summary: str | None
    url: str | None

    @property
    def origin(self) -> str:
        return f"package {self.distribution} {self.version or ''}".strip()


def find_packages() -> list[Package]:
    """Return the entry points of all readable distributions, sorted by name.

    If a distribution is installed twice, the first on ``sys.path`` counts, as for imports.
    """
    packages: dict[str, list[Package]] = {}
    for distribution in Distribution.discover():
        try:
            found = _packages(distribution)
        except Exception as err:
            # One broken distribution must not hide the others.
            log.warning("An installed package cannot be read (%s): %s", _place(distribution), one_line(err))
            continue
        if found:
            packages.setdefault(as_asked(found[0].distribution), found)
    return sorted(chain(*packages.values()), key=lambda package: (package.name, package.distribution))


def load_package(package: Package) -> object:
    """Import and return the object of the entry point.

    Raises PluginLoadError with the cause, also if the import raises SystemExit.
    """
    try:
        return package.entry_point.load()
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as err:
        raise PluginLoadError(f"entry point {package.entry_point.value!r}: {one_line(err)}") from err


def _packages(distribution: Distribution) -> list[Package]:
    found = {each.name: each for each in distribution.entry_points if each.group == GROUP}
    if not found:
        return []
    metadata = distribution.metadata
    people = getaddresses([metadata.get("Author-Email") or ""])
    told = {
        "distribution": _name(metadata),
        "version": metadata.get("Version"),
        "author": metadata.get("Author") or _joined(name for name, _ in people),
        "author_email": _joined(address for _, address in people),
        "summary": metadata.get("Summary"),
        "url": metadata.get("Home-Page") or _first_url(metadata.get_all("Project-URL") or []),
    }
    return [Package(name, entry_point, **told) for name, entry_point in found.items()]


def _name(metadata: PackageMetadata) -> str:
    name = metadata.get("Name")
    if not name:
        raise ValueError("it has no metadata that tell its name")
    return name


def _joined(parts: Iterable[str]) -> str | None:
    return ", ".join(part for part in parts if part) or None


def _first_url(project_urls: list[str]) -> str | None:
    return project_urls[0].partition(",")[2].strip() if project_urls else None


def _place(distribution: Distribution) -> str:
    return str(getattr(distribution, "_path", distribution))
