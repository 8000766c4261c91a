from micro import PluginBase, PluginDescription, hookimpl


class Fine(PluginBase):
    def run(self):
        return {}


@hookimpl
def micro_plugins():
    return [PluginDescription(instance=Fine, name="Fine, but beside rubbish"), "rubbish"]
