import surely_not_installed

from micro import PluginDescription

plugin = PluginDescription(name="Missing Dependency", instance=surely_not_installed.Plugin)
