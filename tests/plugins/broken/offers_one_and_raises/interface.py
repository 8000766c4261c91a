from micro import PluginBase, PluginDescription, hookimpl


class First(PluginBase):
    def run(self):
        return {}


@hookimpl
def micro_plugins():
    yield PluginDescription(instance=First, name="First Of Two")
    raise LookupError("the second is gone")
