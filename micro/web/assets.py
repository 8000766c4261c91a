"""Serves the console's static files: under a URL with a digest of their content, gzipped if that helps."""

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
# Smaller files fit into one network packet anyway.
_WORTH_PACKING = 1024
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent: its content and its media type."""

    body: bytes
    mimetype: str

    @cached_property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the content."""
        return sha256(self.body).hexdigest()[:16]

    @cached_property
    def packed(self) -> bytes | None:
        """The content compressed with gzip, or None if the file is too small to gain from it."""
        return gzip.compress(self.body, 9, mtime=0) if len(self.body) >= _WORTH_PACKING else None


class Assets:
    """All files of the console, below one URL that contains their digest. Read at the first request."""

    @cached_property
    def texts(self) -> dict[str, Any]:
        """Every text of the console, in English."""
        texts: dict[str, Any] = json.loads((_HERE / "texts.json").read_text(encoding="utf-8"))
        return texts

    @cached_property
    def files(self) -> dict[str, Asset]:
        """The files by name. ``texts.js`` is generated, so that scripts can import the texts as a module."""
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
        """A digest of all files together: scripts import each other, so their URLs must change together."""
        named = "".join(f"{name} {asset.digest}\n" for name, asset in sorted(self.files.items()))
        return sha256(named.encode()).hexdigest()[:16]

    def imported(self, script: str) -> list[str]:
        """Return the names of all modules that a script imports, directly or not, for a page to preload."""
        found: dict[str, None] = {}
        pending = [script]
        while pending:
            for name in _IMPORT.findall(self.files[pending.pop()].body):
                if (imported := name.decode()) not in found:
                    found[imported] = None
                    pending.append(imported)
        return list(found)

    def respond(self, digest: str, name: str) -> Response | None:
        """Return a response with the file, which browsers may cache for ever, or None without such a file."""
        asset = self.files.get(name) if digest == self.digest else None
        return respond(asset, _FOR_EVER) if asset else None


def respond(asset: Asset, caching: str) -> Response:
    """Return a response with the asset, gzipped if the client accepts it, or 304 if its ETag matches.

    ``caching`` is the value of the header Cache-Control.
    """
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
