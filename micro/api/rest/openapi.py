"""Builds the OpenAPI 3.1 document of the REST service from the plugins' contracts."""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterable, Mapping
from itertools import chain, count
from pathlib import Path
from typing import Any
from urllib.parse import quote

from micro._version import __version__
from micro.errors import PluginNotFound
from micro.plugin.examples import usable_examples
from micro.plugin.plugin import Plugin, Plugins
from micro.service import Micro

# An OpenAPI document without a version: the fixed paths, and one path as the template for every plugin.
_FIXED = Path(__file__).with_name("openapi.json")
_RUN = "/run/{name}"


def build_openapi(micro: Micro, only: Container[str] | None = None) -> dict[str, Any]:
    """Return the OpenAPI document: the fixed routes, and one operation with its schemas for each plugin.

    ``only`` holds the names of the plugins to describe; None describes all.
    """
    document: dict[str, Any] = json.loads(_FIXED.read_text(encoding="utf-8"))
    document["info"]["version"] = __version__
    paths, components = document["paths"], document["components"]
    if not (micro.settings.api_keys or micro.settings.api_keys_file):
        del document["security"], components["securitySchemes"]
    template = paths.pop(_RUN)["post"]
    for key, plugin in _keys(micro.loaded).items():
        if only is None or plugin.name in only:
            path = f"/run/{quote(address(plugin, micro.loaded), safe='')}"
            paths[path] = {"post": _operation(plugin, key, template, components["schemas"])}
    return document


def address(plugin: Plugin, plugins: Plugins) -> str:
    """Return the name to call this plugin by: its slug, or its full name if the slug is ambiguous."""
    try:
        return plugin.slug if plugins.find(plugin.slug) is plugin else plugin.name
    except PluginNotFound:
        return plugin.name


def _keys(plugins: Iterable[Plugin]) -> dict[str, Plugin]:
    """Return the plugins by unique keys that have only characters allowed in OpenAPI component names."""
    keys: dict[str, Plugin] = {}
    for plugin in plugins:
        keys[_free_name(_safe(plugin.slug) or "plugin", keys)] = plugin
    return keys


def _operation(
    plugin: Plugin, key: str, template: Mapping[str, Any], schemas: dict[str, Any]
) -> dict[str, Any]:
    contract = plugin.contract
    parameters = _hoist(contract.parameters, f"{key}.params", schemas)
    result = _hoist(contract.returns or {"type": "object"}, f"{key}.result", schemas)
    text = (contract.description, plugin.description.long_description, plugin.description.plugin_help)
    content = {"application/json": {"schema": result, **_examples(plugin, "result")}}
    responses = dict(template["responses"])
    for status in _unexpected(plugin):
        del responses[status]
    return {
        **template,
        "operationId": f"run-{key}",
        "summary": str(plugin.summary or contract.summary or f"Run {plugin.name}"),
        "description": "\n\n".join(str(each) for each in text if each),
        "requestBody": {
            "required": bool(parameters.get("required")),
            "content": {"application/json": {"schema": parameters, **_examples(plugin, "params")}},
        },
        "responses": {**responses, "200": {**responses["200"], "content": content}},
    }


def _unexpected(plugin: Plugin) -> set[str]:
    """Return the statuses that the plugin never answers, because it has no such limit."""
    description = plugin.description
    limits = {"429": description.concurrency or description.timeout, "504": description.timeout}
    return {status for status, limit in limits.items() if not limit}


def _examples(plugin: Plugin, part: str) -> dict[str, Any]:
    examples = {
        f"example-{each.number}": {"value": each.as_dict()[part]}
        for each in usable_examples(plugin.description)
        if part in each.as_dict()
    }
    return {"examples": examples} if examples else {}


def _hoist(schema: dict[str, Any], prefix: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """Move the schema's ``$defs`` to the document's components, under names unique to this plugin."""
    definitions = schema.get("$defs", {})
    targets: dict[str, str] = {}
    for name in definitions:
        free = _free_name(f"{prefix}.{_safe(name)}", schemas)
        targets[f"#/$defs/{name}"] = f"#/components/schemas/{free}"
        schemas[free] = {}
    for name, definition in definitions.items():
        schemas[targets[f"#/$defs/{name}"].rpartition("/")[2]] = _retarget(definition, targets)
    moved: dict[str, Any] = _retarget(schema, targets)
    moved.pop("$defs", None)
    return moved


def _retarget(value: Any, targets: Mapping[str, str]) -> Any:
    """Return the schema with every reference into ``$defs`` pointing to the document's components."""
    if isinstance(value, str):
        return targets.get(value, value)
    if isinstance(value, list):
        return [_retarget(each, targets) for each in value]
    if isinstance(value, dict):
        return {key: _retarget(each, targets) for key, each in value.items()}
    return value


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("_")


def _free_name(name: str, taken: Container[str]) -> str:
    numbered = (f"{name}-{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)
