from micro import PluginBase, PluginDescription, hookimpl


class WrongHookArgument(PluginBase):
    def run(self):
        return {}


@hookimpl
def micro_app(app):
    raise AssertionError("a plugin that was left out has no hooks")


@hookimpl
def micro_run(plugin, parameters):
    raise AssertionError("a plugin that was left out has no hooks")


plugin = PluginDescription(name="Wrong Hook Argument")
