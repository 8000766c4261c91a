"""Checks plugins for ``micro check``: description, contract, and examples over every transport."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from micro.api.badcalls import bad_calls
from micro.api.fitness import Finding, check_answer, check_contract, unusable
from micro.api.transports import Transports
from micro.plugin.examples import BadExample, Example, read_examples
from micro.plugin.plugin import LoadFailure, Plugin
from micro.service import Micro

_SAME = "make the hooks that change calls or answers change them over every transport"


def check_plugins(micro: Micro, plugins: Iterable[Plugin]) -> Iterator[Finding]:
    """Yield the findings in loaded plugins. Runs each example at least once over each transport."""
    transports = Transports(micro)
    for plugin in plugins:
        yield from _check_description(plugin)
        yield from check_contract(plugin)
        yield from _check_examples(plugin, transports)
        yield from _check_bad_calls(plugin, transports)


def check_failures(failures: Iterable[LoadFailure]) -> Iterator[Finding]:
    """Yield a finding for each plugin that could not be loaded."""
    for each in failures:
        yield Finding("error", each.name, each.origin, each.cause, "fix it; it is left out until then")


def _check_description(plugin: Plugin) -> Iterator[Finding]:
    wanted = {
        "description": (plugin.summary, 'add description="..." to PluginDescription'),
        "version": (plugin.version, 'add version="1.0.0" to PluginDescription'),
        "example": (plugin.description.examples, 'add examples=[{"params": {...}, "result": {...}}]'),
    }
    for what, (found, todo) in wanted.items():
        if not found:
            yield Finding("warning", plugin.name, "description", f"it has no {what}", todo)


def _check_examples(plugin: Plugin, transports: Transports) -> Iterator[Finding]:
    for example in read_examples(plugin.description):
        where = f"example {example.number}"
        if isinstance(example, BadExample):
            yield unusable(plugin, example, where)
        else:
            direct, differing = transports.call(plugin.name, example.params)
            yield from check_answer(plugin, example, where, direct)
            yield from _differing(plugin, where, differing)


def _check_bad_calls(plugin: Plugin, transports: Transports) -> Iterator[Finding]:
    examples = read_examples(plugin.description)
    good = next((each.params for each in examples if isinstance(each, Example)), {})
    for where, params in bad_calls(plugin.contract, good):
        yield from _differing(plugin, where, transports.call(plugin.name, params)[1])


def _differing(plugin: Plugin, where: str, differing: dict[str, str]) -> Iterator[Finding]:
    for transport, told in differing.items():
        yield Finding("error", plugin.name, where, f"{transport} answers otherwise: {told}", _SAME)
