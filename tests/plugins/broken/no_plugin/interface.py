from micro import PluginBase


class NoPlugin(PluginBase):
    def run(self):
        return {}
