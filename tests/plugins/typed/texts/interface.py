"""Every kind of value that JSON sends as text."""

from datetime import date, datetime, time, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, SecretStr

from micro import PluginBase, PluginDescription


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Texts(PluginBase):
    def run(
        self,
        *,
        text: Annotated[str, Field(min_length=1, max_length=20)] = "hello",
        code: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "ABC",
        mode: Literal["fast", "safe"] = "fast",
        colour: Colour = Colour.RED,
        moment: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        day: date = date(2026, 1, 2),
        hour: time = time(3, 4, 5),
        span: timedelta = timedelta(minutes=1),
        key: UUID = UUID(int=7),
        path: Path = Path("data/table.csv"),
        data: bytes = b"\x00\xff",
        password: SecretStr = SecretStr(""),
    ) -> dict[str, Any]:
        """Return everything as it arrived.

        Parameters
        ----------
        text : str
            From 1 to 20 characters.
        password : SecretStr
            Never shown.
        """
        return {name: value for name, value in locals().items() if name != "self"}


plugin = PluginDescription(
    name="Texts",
    version="1.0.0",
    description="Returns texts of every kind",
    examples=[
        {"params": {"moment": datetime(2026, 5, 6, tzinfo=timezone.utc), "key": UUID(int=1), "data": b"abc"}}
    ],
)
