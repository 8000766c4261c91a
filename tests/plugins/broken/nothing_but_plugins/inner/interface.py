from micro import PluginBase, PluginDescription


class Misplaced(PluginBase):
    def run(self):
        return {}


plugin = PluginDescription(name="Misplaced")
