"""Checks plugins before they are served: their contract, and the results of their examples."""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from micro.api.direct import Answer, call_directly
from micro.api.jsondiff import difference
from micro.plugin.examples import BadExample, Example, read_examples
from micro.plugin.plugin import Plugin
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


def check_fitness(micro: Micro, plugins: Iterable[Plugin]) -> Iterator[Finding]:
    """Yield the errors that make loaded plugins unfit to serve.

    Runs each example once, without a transport.
    """
    for plugin in plugins:
        yield from check_contract(plugin)
        for example in read_examples(plugin.description):
            where = f"example {example.number}"
            if isinstance(example, BadExample):
                yield unusable(plugin, example, where)
            else:
                answer = call_directly(micro, plugin.name, example.params, uuid.uuid4().hex)
                yield from check_answer(plugin, example, where, answer)


def check_contract(plugin: Plugin) -> Iterator[Finding]:
    """Yield an error for each problem in the signature of run()."""
    for sentence in plugin.contract.findings:
        yield Finding("error", plugin.name, "signature", sentence, "change the signature of run()")


def check_answer(plugin: Plugin, example: Example, where: str, answer: Answer) -> Iterator[Finding]:
    """Yield an error if the example failed or its result differs from the documented one."""
    if answer.failed:
        yield Finding("error", plugin.name, where, _failure(plugin, answer), "fix run() or the example")
    elif example.result is not None and (told := difference(example.result, answer.body)):
        yield Finding("error", plugin.name, where, f"the result differs: {told}", "fix run() or the example")


def unusable(plugin: Plugin, example: BadExample, where: str) -> Finding:
    """Return the error for an example that cannot be run."""
    todo = 'write it as {"params": {...}, "result": {...}}, with values that JSON can hold'
    return Finding("error", plugin.name, where, example.reason, todo)


def _failure(plugin: Plugin, answer: Answer) -> str:
    if answer.cause is None or answer.status != 500:
        return f"refused: {answer.body['error']} [{answer.body['code']}]"
    return f"run() failed: {type(answer.cause).__name__}: {answer.cause}{_place(plugin, answer.cause)}"


def _place(plugin: Plugin, cause: BaseException) -> str:
    frames = traceback.extract_tb(cause.__traceback__)
    folder = plugin.source.folder
    own = [each for each in frames if folder and Path(each.filename).is_relative_to(folder.path)] or frames
    return f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
