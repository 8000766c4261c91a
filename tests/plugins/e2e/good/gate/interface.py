import os
import time
from pathlib import Path

from micro import PluginBase, PluginDescription


class Gate(PluginBase):
    """A run that tells in files how far it is, and waits for one of them."""

    def run(self, folder: str):
        place = Path(folder)
        mine = f"{time.time_ns()}-{os.getpid()}"
        (place / f"started-{mine}").touch()
        deadline = time.monotonic() + 60
        while not (place / "open").exists():
            if time.monotonic() > deadline:
                raise TimeoutError("nobody opened the gate")
            time.sleep(0.02)
        (place / f"finished-{mine}").touch()
        return {"pid": os.getpid()}


plugin = PluginDescription(name="Gate", version="1.0.0", description="Waits until a file is there")
