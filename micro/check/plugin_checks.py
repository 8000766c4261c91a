"""Checks plugins: their description, their contract, and the results of their examples."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Literal

from micro.check.json_diff import difference
from micro.errors import MicroError
from micro.plugin.context import RunContext
from micro.plugin.examples import BadExample, Example, read_examples
from micro.plugin.plugin import LoadFailure, Plugin
from micro.service import Micro


@dataclass(frozen=True)
class Finding:
    """One problem of a plugin: an error to fix, or a warning about a possible improvement.

    ``where`` is the part of the plugin, ``what`` the problem, ``todo`` how to fix it.
    """

    level: Literal["error", "warning"]
    plugin: str
    where: str
    what: str
    todo: str


def check_plugins(micro: Micro, plugins: Iterable[Plugin]) -> Iterator[Finding]:
    """Yield the errors and warnings about loaded plugins; each example is run once, without a transport."""
    for plugin in plugins:
        yield from _check_description(plugin)
        yield from _check_contract(plugin)
        yield from _check_examples(micro, plugin)


def check_fitness(micro: Micro, plugins: Iterable[Plugin]) -> Iterator[Finding]:
    """Yield the errors that make loaded plugins unfit to serve; each example is run once."""
    for plugin in plugins:
        yield from _check_contract(plugin)
        yield from _check_examples(micro, plugin)


def check_failures(failures: Iterable[LoadFailure]) -> Iterator[Finding]:
    """Yield an error for each plugin that could not be loaded."""
    for each in failures:
        yield Finding("error", each.name, each.origin, each.cause, "fix it; it is not served as it is")


def _check_description(plugin: Plugin) -> Iterator[Finding]:
    wanted = {
        "description": (plugin.summary, 'add description="..." to PluginDescription'),
        "version": (plugin.version, 'add version="1.0.0" to PluginDescription'),
        "example": (plugin.description.examples, 'add examples=[{"params": {...}, "result": {...}}]'),
    }
    for what, (found, todo) in wanted.items():
        if not found:
            yield Finding("warning", plugin.name, "description", f"it has no {what}", todo)


def _check_contract(plugin: Plugin) -> Iterator[Finding]:
    for sentence in plugin.contract.findings:
        yield Finding("error", plugin.name, "signature", sentence, "change the signature of run()")


def _check_examples(micro: Micro, plugin: Plugin) -> Iterator[Finding]:
    for example in read_examples(plugin.description):
        where = f"example {example.number}"
        if isinstance(example, BadExample):
            todo = 'write it as {"params": {...}, "result": {...}}, with values that JSON can hold'
            yield Finding("error", plugin.name, where, example.reason, todo)
        elif what := _run_example(micro, plugin, example):
            yield Finding("error", plugin.name, where, what, "fix run() or the example")


def _run_example(micro: Micro, plugin: Plugin, example: Example) -> str | None:
    """Run an example; return what is wrong with its result, or None."""
    try:
        text = micro.run(plugin.name, example.params, RunContext())
    except MicroError as err:
        return _failure(plugin, err)
    told = None if example.result is None else difference(example.result, json.loads(text))
    return told and f"the result differs: {told}"


def _failure(plugin: Plugin, error: MicroError) -> str:
    cause = error.__cause__
    if cause is None or error.status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"refused: {error.message} [{error.code}]"
    return f"run() failed: {type(cause).__name__}: {cause}{_place(plugin, cause)}"


def _place(plugin: Plugin, cause: BaseException) -> str:
    frames = traceback.extract_tb(cause.__traceback__)
    folder = plugin.source.folder
    own = [each for each in frames if folder and Path(each.filename).is_relative_to(folder.path)] or frames
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
