from micro import PluginBase, PluginDescription, hookimpl


class Duplicate(PluginBase):
    def run(self):
        return {"from": "z_duplicate_name"}


@hookimpl
def micro_run(plugin):
    raise AssertionError("a plugin that was left out has no hooks")


plugin = PluginDescription(name="Plain")
