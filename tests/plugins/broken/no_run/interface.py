from micro import PluginBase, PluginDescription


class NoRun(PluginBase):
    def runs(self):
        return {}


plugin = PluginDescription(instance=NoRun, name="No Run")
