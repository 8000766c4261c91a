"""Returns a tuple."""

from typing import TypedDict

from micro import PluginBase, PluginDescription


class Answer(TypedDict):
    pair: tuple[int, str]


class Pairs(PluginBase):
    def run(self, pair: tuple[int, str]) -> Answer:
        """Return the pair."""
        return {"pair": pair}


plugin = PluginDescription(
    name="Pairs",
    version="1.0.0",
    description="Returns a pair",
    examples=[{"params": {"pair": (1, "one")}, "result": {"pair": (1, "one")}}],
)
