"""Climbs from camp to camp, slowly where it is told to wait for a file."""

import time
from pathlib import Path

from micro import PluginBase, PluginDescription, PluginError

LONGEST = 30


class Expedition(PluginBase):
    def run(self, camps: int = 5, gate: str = "", fall: bool = False):
        """Climb a mountain.

        Args:
            camps: How many camps to pass.
            gate: A file without which nobody goes beyond the third camp.
            fall: Whether to fall at the last one.
        """
        deadline = time.monotonic() + LONGEST
        for camp in range(1, camps + 1):
            self.progress(camp - 1, camps, f"on the way to camp {camp}")
            while camp == 4 and gate and not Path(gate).exists() and time.monotonic() < deadline:
                if self.cancelled:
                    return {}
                time.sleep(0.02)
            self.log.info("camp %d reached, %d metres", camp, 1800 + 600 * camp)
        if fall:
            raise PluginError("somebody fell", status=409, code="fallen")
        self.progress(camps, camps, "at the top")
        heights = [1800 + 600 * camp for camp in range(camps + 1)]
        return {"heights": heights, "camps": [{"camp": n, "metres": m} for n, m in enumerate(heights)]}


plugin = PluginDescription(
    name="Expedition",
    version="1.2.0",
    description="Climbs a mountain from camp to camp, and tells how far it is",
    examples=[{"params": {"camps": 8}}, {"params": {"camps": 3, "fall": True}}],
)
