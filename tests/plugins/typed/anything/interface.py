"""Any further parameters, of one type, and a run that waits."""

from __future__ import annotations

import asyncio
from typing import Any

from micro import PluginBase, PluginDescription


class Anything(PluginBase):
    async def run(self, title: str, **others: int | None) -> dict[str, Any]:
        """Count the parameters beyond the title."""
        await asyncio.sleep(0)
        return {"title": title, "others": len(others)}


plugin = PluginDescription(
    name="Anything",
    version="1.0.0",
    description="Takes any parameters",
    examples=[{"params": {"title": "t", "one": 1, "two": None}, "result": {"title": "t", "others": 2}}],
)
