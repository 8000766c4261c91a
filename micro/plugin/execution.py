"""The default implementation of ``micro_run``, called if no other one returns a result."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from micro.plugin.hookspecs import hookimpl
from micro.plugin.imports.folders import refresh_builtins

if TYPE_CHECKING:
    from micro.plugin.context import RunContext
    from micro.plugin.plugin import Plugin


@hookimpl(trylast=True)
def micro_run(plugin: Plugin, params: dict[str, Any], context: RunContext) -> object:
    """Create a new instance and call its ``run``; a coroutine is run to its end."""
    if plugin.source.folder:
        refresh_builtins(plugin.source.folder)
    instance = plugin.cls()
    # Set the attribute directly: the plugin may have a __setattr__ of its own.
    vars(instance)["_micro_context"] = context
    result = instance.run(**params)
    return _finish(result) if inspect.iscoroutine(result) else result


def _finish(coroutine: Coroutine[Any, Any, object]) -> object:
    try:
        return asyncio.run(coroutine)
    except asyncio.CancelledError as err:
        # CancelledError is not an Exception, and would end the server process.
        raise RuntimeError("the plugin cancelled its own run") from err
