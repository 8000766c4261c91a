from micro import PluginBase, PluginDescription

plugin = PluginDescription(name="No Class")
