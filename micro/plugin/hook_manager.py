"""The pluggy manager, which rejects unknown hooks that pluggy would silently ignore."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import pluggy

from micro.plugin import execution, hookspecs


class HookManager(pluggy.PluginManager):
    """A plugin manager that rejects unknown hooks, and wrappers of hooks other than micro_run.

    Only micro_run is called through pluggy. The implementations of other hooks are called one by one, to
    isolate failures, so their wrappers would never run.
    """

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        options = super().parse_hookimpl_opts(plugin, name)
        if options:
            self._check(plugin, options.get("specname") or name, options)
        return options

    def _check(self, plugin: object, hook: str, options: Any) -> None:
        known = sorted(name for name, caller in vars(self.hook).items() if caller.has_spec())
        if hook not in known and not options["optionalhook"]:
            close = get_close_matches(hook, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"Micro has {', '.join(known)}"
            raise pluggy.PluginValidationError(plugin, f"unknown hook {hook!r}; {hint}")
        if hook != "micro_run" and (options["wrapper"] or options["hookwrapper"]):
            raise pluggy.PluginValidationError(plugin, f"hook {hook!r} cannot be wrapped, micro_run can")


def create_hook_manager() -> pluggy.PluginManager:
    """Return a manager with Micro's hooks and the default implementation of micro_run."""
    manager = HookManager("micro")
    manager.add_hookspecs(hookspecs)
    manager.register(execution, name=execution.__name__)
    return manager
