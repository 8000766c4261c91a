"""Every kind of number, with bounds and defaults."""

from decimal import Decimal
from typing import Annotated, Optional, TypedDict

from pydantic import Field

from micro import PluginBase, PluginDescription


class Total(TypedDict):
    total: int
    ratio: float
    price: Decimal


class Numbers(PluginBase):
    def run(
        self,
        whole: Annotated[int, Field(ge=-1000, le=1000)],
        ratio: Annotated[float, Field(ge=0, lt=1)] = 0.5,
        price: Decimal = Decimal("1.00"),
        negative: bool = False,
        factors: Annotated[list[int], Field(max_length=3)] = [],  # noqa: B006
        limit: Optional[int] = None,
    ) -> Total:
        """Add everything up.

        :param whole: A whole number.
        :param ratio: A part of one.
        :param price: What it costs.
        :param negative: Whether to change the sign.
        """
        total = whole + sum(factors) + (limit or 0)
        return {"total": -total if negative else total, "ratio": ratio, "price": price}


plugin = PluginDescription(
    name="Numbers",
    version="1.0.0",
    description="Adds numbers of every kind",
    examples=[
        {
            "params": {"whole": 3, "ratio": 0.25},
            "result": {"total": 3, "ratio": 0.25, "price": Decimal("1.00")},
        },
        {"params": {"whole": 1, "price": Decimal("2.50"), "factors": [1, 2]}},
    ],
)
