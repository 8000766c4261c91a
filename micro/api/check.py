"""Checks plugins: their description, their contract, and their examples over every transport."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from micro.api.badcalls import bad_calls
from micro.api.jsondiff import difference
from micro.api.transports import Answer, Transports
from micro.plugin.examples import BadExample, Example, read_examples
from micro.plugin.manager import LoadFailure, Plugin
from micro.service import Micro

_SAME = "make the hooks that change calls or answers change them over every transport"


@dataclass(frozen=True)
class Finding:
    """One thing to mend, or with level "warning" one that could be better."""

    level: Literal["error", "warning"]
    plugin: str
    where: str
    what: str
    todo: str


def check_plugins(micro: Micro, plugins: Iterable[Plugin]) -> Iterator[Finding]:
    """Yield what is found in loaded plugins; each example is run, at least once for each transport."""
    transports = Transports(micro)
    for plugin in plugins:
        yield from _check_description(plugin)
        yield from _check_contract(plugin)
        yield from _check_examples(plugin, transports)
        yield from _check_bad_calls(plugin, transports)


def check_failures(failures: Iterable[LoadFailure]) -> Iterator[Finding]:
    """Yield a finding for each plugin that could not be loaded."""
    for each in failures:
        yield Finding("error", each.name, each.origin, each.cause, "mend it; it is not served as it is")


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


def _check_examples(plugin: Plugin, transports: Transports) -> Iterator[Finding]:
    for example in read_examples(plugin.description):
        where = f"example {example.number}"
        if isinstance(example, BadExample):
            todo = 'write it as {"params": {...}, "result": {...}}, with values that JSON can hold'
            yield Finding("error", plugin.name, where, example.reason, todo)
        else:
            yield from _check_example(plugin, example, where, transports)


def _check_example(plugin: Plugin, example: Example, where: str, transports: Transports) -> Iterator[Finding]:
    direct, differing = transports.call(plugin.name, example.params)
    if direct.failed:
        yield Finding("error", plugin.name, where, _failure(plugin, direct), "mend run() or the example")
    elif example.result is not None and (told := difference(example.result, direct.body)):
        yield Finding("error", plugin.name, where, f"the result differs: {told}", "mend run() or the example")
    yield from _differing(plugin, where, differing)


def _check_bad_calls(plugin: Plugin, transports: Transports) -> Iterator[Finding]:
    examples = read_examples(plugin.description)
    good = next((each.params for each in examples if isinstance(each, Example)), {})
    for where, params in bad_calls(plugin.contract, good):
        yield from _differing(plugin, where, transports.call(plugin.name, params)[1])


def _differing(plugin: Plugin, where: str, differing: dict[str, str]) -> Iterator[Finding]:
    for transport, told in differing.items():
        yield Finding("error", plugin.name, where, f"{transport} answers otherwise: {told}", _SAME)


def _failure(plugin: Plugin, answer: Answer) -> str:
    if answer.cause is None or answer.status != 500:
        return f"refused: {answer.body['error']} [{answer.body['code']}]"
    return f"run() failed: {type(answer.cause).__name__}: {answer.cause}{_place(plugin, answer.cause)}"


def _place(plugin: Plugin, cause: BaseException) -> str:
    frames = traceback.extract_tb(cause.__traceback__)
    folder = plugin.source.folder
    own = [each for each in frames if folder and Path(each.filename).is_relative_to(folder.path)] or frames
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
