"""micro check: imports plugins, runs their examples, and tells what to mend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import click

from micro.check.plugin_checks import Finding, check_failures, check_plugins
from micro.cli.options import load_quietly, resolve, settings_options, silenced
from micro.cli.tables import print_table
from micro.errors import EXIT_FAILED, EXIT_OK, PluginNotFound
from micro.plugin.names import slug
from micro.plugin.plugin import LoadFailure, Plugin
from micro.service import Micro


@dataclass(frozen=True)
class Chosen:
    """What is to be checked."""

    micro: Micro
    plugins: list[Plugin]
    failures: list[LoadFailure]


@click.command()
@click.argument("target", metavar="[PATH|NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options("plugin_path")
@click.pass_context
def command(ctx: click.Context, /, target: str | None, as_json: bool, **flags: Any) -> None:
    """Check plugins: a plugin folder, a folder of them, the plugin of that name, or all.

    Each is imported, its signature and description are looked at, and its examples are run in this
    process. Exits with 1 if anything is to be mended.
    """
    # What plugins print must not get into the table or the JSON; failed runs are findings.
    with redirect_stdout(sys.stderr), silenced("micro.service"):
        found = _select(ctx, target, flags)
        findings = [*check_failures(found.failures), *check_plugins(found.micro, found.plugins)]
        found.micro.stop()
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        _show(findings, len(found.plugins) + len(found.failures))
    ctx.exit(EXIT_FAILED if any(each.level == "error" for each in findings) else EXIT_OK)


def _select(ctx: click.Context, target: str | None, flags: Mapping[str, Any]) -> Chosen:
    if target and _is_path(target):
        return _of_path(ctx, Path(target).resolve(), flags)
    micro = load_quietly(resolve(ctx, flags))
    return _of_name(micro, target) if target else _of_all(micro)


def _of_all(micro: Micro) -> Chosen:
    others = [name for name, _ in micro.loaded.hooks.list_name_plugin() if not name.startswith("micro.")]
    if not (others or micro.loaded.failed):
        raise PluginNotFound("No plugin is loaded; name a folder of plugin folders with -p")
    return Chosen(micro, list(micro.loaded), micro.loaded.failed)


def _is_path(target: str) -> bool:
    """Tell a path from a name: a package's own folder often has the name of its plugin."""
    path = Path(target)
    holds_plugins = any(chain(path.glob("interface.py"), path.glob("*/interface.py")))
    return path.is_dir() and (holds_plugins or os.sep in target or not path.name)


def _of_path(ctx: click.Context, path: Path, flags: Mapping[str, Any]) -> Chosen:
    is_plugin = (path / "interface.py").exists()
    micro = load_quietly(resolve(ctx, {**flags, "plugin_path": [str(path.parent if is_plugin else path)]}))
    mark = f"(folder {path}{')' if is_plugin else os.sep}"
    plugins = [each for each in micro.loaded if mark in each.source.label]
    failures = [each for each in micro.loaded.failed if mark in f"({each.origin})"]
    hooks = [name for name, _ in micro.loaded.hooks.list_name_plugin() if mark in name]
    if not (plugins or failures or hooks):
        raise PluginNotFound(f"No plugin in {path}: expected an interface.py in it, or in folders in it")
    return Chosen(micro, plugins, failures)


def _of_name(micro: Micro, name: str) -> Chosen:
    failures = [each for each in micro.loaded.failed if slug(each.name) == slug(name)]
    return Chosen(micro, [] if failures else [micro.loaded.find(name)], failures)


def _show(findings: Sequence[Finding], plugins: int) -> None:
    if findings:
        rows = [(each.level, each.plugin, each.where, each.what, each.todo) for each in findings]
        print_table(("level", "plugin", "where", "what", "what to do"), rows)
    errors = sum(each.level == "error" for each in findings)
    counts = _counted(errors, "error"), _counted(len(findings) - errors, "warning")
    click.echo(f"Checked {_counted(plugins, 'plugin')}: {', '.join(counts)}.")


def _counted(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number < 2 else 's'}"
