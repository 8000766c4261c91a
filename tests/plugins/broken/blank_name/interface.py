from micro import PluginBase, PluginDescription


class BlankName(PluginBase):
    def run(self):
        return {}


plugin = PluginDescription(name="  ")
