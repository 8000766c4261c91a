import gc
import os
import sys

from micro import PluginBase, PluginDescription


class Process(PluginBase):
    """Tells about the process it runs in."""

    def run(self):
        collected = {"collects": gc.isenabled(), "frozen": gc.get_freeze_count()}
        return {"pid": os.getpid(), "parent": os.getppid(), "modules": sorted(sys.modules), **collected}


plugin = PluginDescription(instance=Process, name="Process", version="1.0.0")
