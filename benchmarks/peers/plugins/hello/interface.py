"""The same function as a plugin, for Micro 3 and 4."""

from micro.plugin.pluginbase import PluginBase, PluginDescription


class Hello(PluginBase):
    # Micro 3 knows no annotations; Micro 4 checks what they say.
    def run(self, name: str) -> dict:
        return {"message": f"Hello {name}"}


plugin = PluginDescription(
    instance=Hello,
    name="hello",
    version="1.0.0",
    author="Micro",
    description="Greets",
    plugin_help="name: whom",
)
