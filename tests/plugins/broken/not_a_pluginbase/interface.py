from micro import PluginDescription


class NotAPluginBase:
    def run(self):
        return {}


plugin = PluginDescription(instance=NotAPluginBase, name="Not A PluginBase")
