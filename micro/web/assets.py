"""Hands out the console's files: under an address made from their content, packed where that helps."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from flask import Response, request

_HERE = Path(__file__).parent
_SOURCES = (_HERE / "assets", _HERE / "vendor" / "jedison")
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
_IMPORT = re.compile(rb'^(?:import|export) .*from "\./([\w.-]+)";$', re.MULTILINE)
_WORTH_PACKING = 1024
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    mimetype: str

    @cached_property
    def digest(self) -> str:
        """Name the content."""
        return sha256(self.body).hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes | None:
        """The content as gzip; None where that would save nothing."""
        return gzip.compress(self.body, 9, mtime=0) if len(self.body) >= _WORTH_PACKING else None


class Assets:
    """The files below one address that names their content; read when the first is asked for."""

    @cached_property
    def texts(self) -> dict[str, Any]:
        """Every English text of the console."""
        texts: dict[str, Any] = json.loads((_HERE / "texts.json").read_text(encoding="utf-8"))
        return texts

    @cached_property
    def files(self) -> dict[str, Asset]:
        """The files by their names; scripts import the texts as one of their modules."""
        found = {
            path.name: Asset(path.read_bytes(), _TYPES[path.suffix])
            for folder in _SOURCES
            for path in sorted(folder.iterdir())
            if path.suffix in _TYPES
        }
        texts = f"export default {json.dumps(self.texts)};\n"
        return {**found, "texts.js": Asset(texts.encode(), _TYPES[".js"])}

    @cached_property
    def digest(self) -> str:
        """Name the content of all files: scripts import each other, so they change their address together."""
        named = "".join(f"{name} {asset.digest}\n" for name, asset in sorted(self.files.items()))
        return sha256(named.encode()).hexdigest()[:16]

    def imported(self, script: str) -> list[str]:
        """Name all that this script imports, and what that imports, so that a page can fetch them at once."""
        found: dict[str, None] = {}
        pending = [script]
        while pending:
            for name in _IMPORT.findall(self.files[pending.pop()].body):
                if (imported := name.decode()) not in found:
                    found[imported] = None
                    pending.append(imported)
        return list(found)

    def respond(self, digest: str, name: str) -> Response | None:
        """Answer with a file, which a browser may keep for ever; None where there is none."""
        asset = self.files.get(name) if digest == self.digest else None
        return respond(asset, _FOR_EVER) if asset else None


def respond(asset: Asset, caching: str) -> Response:
    """Answer with the asset, packed for those who take it."""
    takes_gzip = request.accept_encodings.quality("gzip") > 0
    packed = asset.packed if takes_gzip else None
    response = Response(packed or asset.body, mimetype=asset.mimetype)
    response.headers["Cache-Control"] = caching
    if asset.packed:
        response.vary.add("Accept-Encoding")
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(asset.digest + ("-gzip" if packed else ""))
    response.make_conditional(request)
    return response
