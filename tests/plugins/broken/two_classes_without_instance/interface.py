from micro import PluginBase, PluginDescription


class One(PluginBase):
    def run(self):
        return {}


class Two(PluginBase):
    def run(self):
        return {}


plugin = PluginDescription(name="Two Classes")
