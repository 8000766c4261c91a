"""Returns a picture, a table and a series of numbers."""

import base64
import math
import struct
import zlib
from typing import Annotated

from pydantic import Field

from micro import PluginBase, PluginDescription

SIDE = 96


def png() -> bytes:
    """Paint a square whose colours run into each other."""
    lines = (bytes(part for x in range(SIDE) for part in (2 * x, 2 * y, 160)) for y in range(SIDE))
    data = zlib.compress(b"".join(b"\0" + line for line in lines))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class Gallery(PluginBase):
    def run(self, points: Annotated[int, Field(ge=3, le=1000)] = 60):
        return {
            "wave": [round(math.sin(number / 6), 6) for number in range(points)],
            "picture": "data:image/png;base64," + base64.b64encode(png()).decode(),
            "cities": [{"city": "Bari", "km": 12, "coast": True}, {"city": "Turin", "km": 990, "coast": False}],
            "note": "<b>as it is</b>",
        }


plugin = PluginDescription(
    name="Gallery", version="1.0.0", description="Shows what results can look like: picture, table, plot"
)
