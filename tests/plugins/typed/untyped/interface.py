"""As plugins were written for Micro 3: no annotations."""

from micro import PluginBase, PluginDescription


class Untyped(PluginBase):
    def run(self, name, times=1):
        return {"name": name, "times": times}


plugin = PluginDescription(
    instance=Untyped,
    name="Untyped",
    version="1.0.0",
    description="Returns what it gets",
    plugin_help="name: anything; times: anything",
)
