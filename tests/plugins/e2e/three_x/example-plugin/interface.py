from micro.plugin.pluginbase import PluginBase
from micro.plugin.pluginbase import PluginDescription

import words.greeting
from helper import shout


class ExamplePlugin(PluginBase):
    def __init__(self):
        self.mark = "!!!"

    # This is the method executed by Micro
    def run(self, **kwargs):
        from words import farewell
        return {"msg": shout(words.greeting.TEXT, kwargs["name"], self.mark), "then": farewell.TEXT}


# This description is required by Micro
plugin = PluginDescription(
    instance=ExamplePlugin,
    name="Example Plugin",
    version="2.1",
    url="https://example.org",
    author="Jhon Doe",
    author_email="jhon@example.org",
    description="A very simple example plugin",
    long_description="This plugin is a very simple example, "
                     "for that reason, we don't have a long description",
    plugin_help="Params: name type string; A name to greet"
)
