import os
import sys

from micro import PluginBase, PluginDescription


class Process(PluginBase):
    """Tells about the process it runs in."""

    def run(self):
        return {"pid": os.getpid(), "parent": os.getppid(), "modules": sorted(sys.modules)}


plugin = PluginDescription(instance=Process, name="Process", version="1.0.0")
