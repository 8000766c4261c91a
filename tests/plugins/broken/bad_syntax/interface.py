from micro import PluginBase, PluginDescription


class BadSyntax(PluginBase)
    def run(self):
        return {}


plugin = PluginDescription(name="Bad Syntax")
