from micro import PluginBase, PluginDescription, hookimpl


class WrappedStart(PluginBase):
    def run(self):
        return {}


@hookimpl(wrapper=True)
def micro_start(micro):
    return (yield)


plugin = PluginDescription(name="Wrapped Start")
