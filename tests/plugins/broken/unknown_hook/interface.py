from micro import PluginBase, PluginDescription, hookimpl


class UnknownHook(PluginBase):
    def run(self):
        return {}


@hookimpl
def micro_rum(plugin):
    return {}


plugin = PluginDescription(name="Unknown Hook")
