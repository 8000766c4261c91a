"""Objects, lists and unions, in each other and in themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from micro import PluginBase, PluginDescription


@dataclass
class Point:
    x: float
    y: float = 0.0


class Circle(BaseModel):
    kind: Literal["circle"] = "circle"
    centre: Point
    radius: Annotated[float, Field(gt=0)]


class Polygon(BaseModel):
    """Points that are joined."""

    kind: Literal["polygon"]
    points: Annotated[list[Point], Field(min_length=3, max_length=5)]


class Tree(BaseModel):
    name: str
    branches: list[Tree] = []


class Drawing(BaseModel):
    shapes: list[Annotated[Circle | Polygon, Field(discriminator="kind")]]
    tree: Tree | None
    labels: dict[str, int | str]


class Shapes(PluginBase):
    def run(
        self,
        shapes: list[Annotated[Circle | Polygon, Field(discriminator="kind")]],
        tree: Tree | None = None,
        labels: dict[str, int | str] = {},  # noqa: B006
        tags: set[str] = set(),  # noqa: B006
    ) -> Drawing:
        """Draw shapes.

        Args:
            shapes: What to draw.
            tree: What hangs together.
            labels: What to write at them.
        """
        return Drawing(shapes=shapes, tree=tree, labels=labels)


plugin = PluginDescription(
    instance=Shapes,
    name="Shapes & Trees",
    version="1.0.0",
    description="Draws what it is given",
    examples=[{"params": {"shapes": [Circle(centre=Point(1.0), radius=2.0)], "labels": {"a": 1}}}],
)
