"""Validates the changed plugins in a one-shot process, before a reload serves them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from micro.check.plugin_checks import check_fitness
from micro.config.loading import check_dumped_version
from micro.config.settings import Settings
from micro.errors import EXIT_FAILED, EXIT_OK
from micro.plugin.fingerprint import INSTALLED
from micro.plugin.plugin import LoadFailure, Plugin
from micro.runtime.ready_files import newest, tell_ready
from micro.runtime.settings_file import settings_file
from micro.server.child import Role, load
from micro.service import Micro


def main(settings: Settings, role: Role) -> int:
    """Load and check the plugins; return 0 if all changes can be served, else 1.

    The faults are written to the ready file. Plugins that already fail in the serving generation do not
    count, so that they do not block the reload of others.
    """
    # Refuse the reload if Micro itself was upgraded: that needs a restart; a reload only replaces plugins.
    check_dumped_version(settings_file(settings).read_text())
    served = newest(settings)
    micro, facts = load(settings, role)
    try:
        faults = [*_new_failures(micro, served), *_unfit(micro, _changed(micro, facts["files"], served))]
        _make_applications(micro)
    finally:
        micro.stop()
    told = {**facts, "failed": [asdict(each) for each in faults]}
    tell_ready(settings, role.name, os.getpid(), role.generation, **told)
    return EXIT_FAILED if faults else EXIT_OK


def _new_failures(micro: Micro, served: dict[str, Any]) -> Iterator[LoadFailure]:
    failed_before = {each["name"] for each in served.get("failed", ())}
    yield from (each for each in micro.loaded.failed if each.name not in failed_before)


def _changed(micro: Micro, files: dict[str, str], served: dict[str, Any]) -> list[Plugin]:
    """Return the plugins whose files have changed, or all plugins if an installed package has changed."""
    before = served.get("files", {})
    changed = {key for key, print_ in files.items() if before.get(key) != print_}
    # A folder plugin may import any installed package.
    return [each for each in micro.loaded if INSTALLED in changed or _key(each) in changed]


def _key(plugin: Plugin) -> str:
    return str(plugin.source.folder.path) if plugin.source.folder else INSTALLED


def _unfit(micro: Micro, plugins: list[Plugin]) -> Iterator[LoadFailure]:
    for finding in check_fitness(micro, plugins):
        origin = micro.loaded.find(finding.plugin).origin
        yield LoadFailure(finding.plugin, origin, f"{finding.where}: {finding.what}")


def _make_applications(micro: Micro) -> None:
    """Build the applications, to find other errors that would keep a process from starting.

    Examples are API keys or certificates that cannot be read.
    """
    if micro.settings.gunicorn:
        from micro.api.rest.app import create_app
        from micro.server.http.gunicorn import check_options

        create_app(micro=micro)
        check_options(micro.settings)
    if micro.settings.celery:
        from micro.api.celery.app import create_celery

        create_celery(micro=micro)
