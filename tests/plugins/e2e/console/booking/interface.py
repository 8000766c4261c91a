"""Returns what it was given: parameters of every kind that a form has to offer."""

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from micro import PluginBase, PluginDescription


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Guest:
    name: str
    age: int | None = None


class Booking(PluginBase):
    def run(
        self,
        day: date,
        guests: list[Guest],
        seats: Annotated[int, Field(ge=1, le=9)] = 1,
        table: Literal["inside", "outside"] = "inside",
        colour: Colour | None = None,
        at: time | None = None,
        until: datetime | None = None,
        price: Decimal = Decimal("9.50"),
        smoking: bool = False,
        code: SecretStr | None = None,
        menu: bytes | None = None,
        contact: int | str = "",
        host: Guest | None = None,
        wishes: list[str] = [],  # noqa: B006
        extra: dict[str, int] | None = None,
        anything: Any = None,
        place: tuple[int, str] = (1, "window"),
    ):
        """Book a table.

        Args:
            day: When.
            guests: Who comes.
            seats: For how many people.
            extra: As <b>many</b> & {{ more }}.
            code: The secret word.
            menu: Your own menu, any file.
        """
        given = {name: value for name, value in locals().items() if name != "self"}
        given["code"] = code and len(code.get_secret_value())
        return given


plugin = PluginDescription(
    name="Booking",
    version="2.1.0",
    author="Ada Lovelace",
    url="https://example.org/booking",
    description="Books a table, with parameters of every kind",
    plugin_help="Ask for a table by the window.",
    examples=[
        {"params": {"day": "2026-01-31", "guests": [{"name": "Ada"}], "seats": 2}},
        {
            "params": {
                "day": "2026-02-01",
                "guests": [],
                "host": {"name": "Bo", "age": 40},
                "contact": 555,
                "until": "2026-02-01T23:00:00Z",
                "extra": {"chairs": 2},
                "anything": "5",
            }
        },
    ],
)
