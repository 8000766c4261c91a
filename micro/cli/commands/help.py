"""micro help: shows a plugin's parameters, its result, and how to call it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from micro.api.rest.openapi import address
from micro.cli.calls import curl_line, micro_line
from micro.cli.commands.completion import complete_plugin
from micro.cli.options import load, resolve, settings_options
from micro.cli.schema_text import Schema, in_words
from micro.cli.tables import print_table
from micro.plugin.examples import Example, usable_examples
from micro.plugin.plugin import Plugin
from micro.service import Micro


@click.command()
@click.argument("name", required=False, shell_complete=complete_plugin)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@settings_options("plugin_path")
@click.pass_context
def command(ctx: click.Context, /, name: str | None, as_json: bool, **flags: Any) -> None:
    """Show a plugin's parameters, its result, and its examples as ready calls.

    Without a name, show the help of `micro` itself.
    """
    if not name:
        click.echo(ctx.find_root().get_help())
        return
    micro = load(resolve(ctx, flags))
    if as_json:
        click.echo(json.dumps(micro.help(name), indent=2))
        return
    plugin = micro.loaded.find(name)
    click.echo("\n\n".join(_text(each) for each in _introduction(plugin) if each))
    _show_parameters(plugin.contract.parameters)
    _show_result(plugin.contract.returns)
    for example in usable_examples(plugin.description):
        click.echo("\n".join(_calls(example, plugin, micro)))


def _introduction(plugin: Plugin) -> Iterator[object]:
    version = f" {plugin.version}" if plugin.version else ""
    yield f"{plugin.name}{version} ({plugin.origin})"
    yield plugin.summary or plugin.contract.summary
    yield plugin.description.plugin_help


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _show_parameters(schema: Schema) -> None:
    others = schema.get("additionalProperties")
    if schema.get("properties"):
        more = [("...", _others(others, schema), "optional", None)] if others else []
        print_table(("parameter", "type", "default", "description"), [*_fields(schema), *more])
    else:
        click.echo(f"\nParameters: {_others(others, schema) if others else 'none'}\n")


def _show_result(schema: Schema | None) -> None:
    if schema and schema.get("properties"):
        rows = [(name, type_, told) for name, type_, _, told in _fields(schema)]
        print_table(("result", "type", "description"), rows)
    else:
        click.echo(f"Result: {in_words(schema, schema) if schema else 'object'}\n")


def _fields(schema: Schema) -> Iterator[tuple[str, str, str, str | None]]:
    for name, field in schema["properties"].items():
        required = name in schema.get("required", ())
        yield name, in_words(field, schema), _default(field, required), field.get("description")


def _others(schema: Any, root: Schema) -> str:
    return in_words(schema, root) if isinstance(schema, Mapping) else "anything"


def _default(field: Schema, required: bool) -> str:
    if required:
        return "required"
    return json.dumps(field["default"], ensure_ascii=False) if "default" in field else "optional"


def _calls(example: Example, plugin: Plugin, micro: Micro) -> Iterator[str]:
    name = address(plugin, micro.loaded)
    yield f"Example {example.number}:"
    yield f"  {micro_line(name, plugin, example.params, micro.settings)}"
    yield f"  {curl_line(name, example.params, micro.settings)}"
    if example.result is not None:
        yield f"  {json.dumps(example.result, ensure_ascii=False)}"
    yield ""
