from micro import PluginBase, PluginDescription, hookimpl


class Solo(PluginBase):
    def run(self):
        return {"played": "solo"}


@hookimpl(specname="micro_plugins")
def offer():
    return PluginDescription(instance=Solo, name="Solo")
