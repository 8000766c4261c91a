import helper

from micro import PluginDescription

plugin = PluginDescription(name="Raises On Import", instance=helper.Model)
