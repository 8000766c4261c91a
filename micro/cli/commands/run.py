"""micro run: runs one plugin in this process and prints its JSON."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from micro.cli.arguments import read_arguments
from micro.cli.commands.completion import complete_plugin
from micro.cli.options import load, resolve, settings_options
from micro.cli.progress import ProgressBar
from micro.cli.watch import run_as_job
from micro.contract.decoding import parse_parameters
from micro.contract.validation_errors import label
from micro.errors import BadRequest, InvalidParameters, PluginError
from micro.plugin.context import RunContext
from micro.plugin.examples import usable_examples
from micro.plugin.plugin import Plugin
from micro.runtime.discovery import settings_in_use
from micro.service import Micro

_STDIN = "-"
_MOST_LINES = 20


@click.command()
@click.argument("name", shell_complete=complete_plugin)
@click.argument("arguments", metavar="[KEY=VALUE | KEY:=JSON | -]...", nargs=-1)
@click.option(
    "--json", "document", metavar="JSON", help="The parameters as a JSON object; @FILE or - reads it."
)
@click.option(
    "--example", "number", type=int, metavar="N", help="Take the parameters of the plugin's Nth example."
)
@click.option("--job", "as_job", is_flag=True, help="Run it as a job of the running Micro, and watch it.")
@settings_options("plugin_path", "pid_folder_path")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    name: str,
    arguments: tuple[str, ...],
    document: str | None,
    number: int | None,
    as_job: bool,
    **flags: Any,
) -> None:
    """Run a plugin here and print its JSON.

    VALUE is converted to the type of the plugin's parameter; KEY:=JSON gives any JSON value, and a lone -
    reads all parameters as JSON from standard input. KEY=VALUE overrides --json, which overrides --example.
    """
    settings = resolve(ctx, flags)
    if as_job:
        settings = settings_in_use(settings)
    logging.basicConfig(level=settings.log_level, format="%(message)s")
    micro = load(settings)
    plugin = micro.loaded.find(name)
    pairs = [each for each in arguments if each != _STDIN]
    if len(pairs) < len(arguments):
        document = _only_document(document)
    params = {
        **_of_example(plugin, number),
        **_of_document(document),
        **read_arguments(pairs, plugin.contract.parameters),
    }
    if as_job:
        ctx.exit(run_as_job(micro, plugin.name, params))
    _print(_run(ctx, micro, plugin, params))


def _only_document(document: str | None) -> str:
    if document is not None:
        raise click.UsageError("Give the parameters either with --json or with -, not with both.")
    return _STDIN


def _of_example(plugin: Plugin, number: int | None) -> Mapping[str, Any]:
    if number is None:
        return {}
    examples = {each.number: each for each in usable_examples(plugin.description)}
    if number not in examples:
        known = ", ".join(map(str, examples)) or "none"
        raise click.UsageError(f"Plugin {plugin.name!r} has no example {number}; its examples: {known}.")
    return examples[number].params


def _of_document(document: str | None) -> Mapping[str, Any]:
    try:
        return {} if document is None else parse_parameters(_read(document))
    except BadRequest as err:
        raise BadRequest(f"--json: {err.message}") from err


def _read(document: str) -> bytes | str:
    if document == _STDIN:
        return sys.stdin.buffer.read()
    if not document.startswith("@"):
        return document
    try:
        return Path(document[1:]).read_bytes()
    except OSError as err:
        raise click.UsageError(f"--json: cannot read {document[1:]!r}: {err.strerror}.") from err


def _run(ctx: click.Context, micro: Micro, plugin: Plugin, params: Mapping[str, Any]) -> str:
    try:
        with ProgressBar() as bar:
            return micro.run(plugin.name, params, RunContext("command", reporter=bar))
    except InvalidParameters as err:
        _complain(*_told(err), f"`micro help {plugin.slug}` lists the parameters.")
        ctx.exit(err.exit_code)
    except PluginError as err:
        _complain(f"{err.message} [{err.code}]")
        ctx.exit(err.exit_code)
    finally:
        micro.stop()


def _told(error: InvalidParameters) -> list[str]:
    """Return the lines of the message: one for a single wrong parameter, otherwise one for each."""
    if len(error.errors) < 2:
        return [error.message]
    lines = [f"  {label(each.pointer)}: {each.message}" for each in error.errors[:_MOST_LINES]]
    more = len(error.errors) - len(lines)
    return [f"{len(error.errors)} parameters are wrong:", *lines, *([f"  and {more} more"] if more else [])]


def _complain(first: str, *lines: str) -> None:
    click.echo("\n".join([f"Error: {first}", *lines]), err=True)


def _print(result: str) -> None:
    # As bytes: the result is UTF-8, whatever encoding Python assumes for standard output.
    click.echo((_indented(result) if sys.stdout.isatty() else result).encode())


def _indented(result: str) -> str:
    try:
        return json.dumps(json.loads(result), indent=2, ensure_ascii=False)
    # Python refuses to parse integers of more than 4,300 digits.
    except ValueError:
        return result
