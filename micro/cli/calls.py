"""Writes a call of a plugin as a shell command: ``micro run`` or curl."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from micro.cli.arguments import write_arguments
from micro.config.loading import COMMAND_LINE
from micro.config.settings import Settings
from micro.plugin.plugin import Plugin

_EVERY_INTERFACE = ("", "0.0.0.0", "[::]")


def micro_line(name: str, plugin: Plugin, params: Mapping[str, Any], settings: Settings) -> str:
    """Return the call as ``micro run``, with ``-p`` if the plugin path was given as a flag."""
    given = settings.source("plugin_path") == COMMAND_LINE
    flags = ["-p", os.pathsep.join(map(str, settings.plugin_path))] if given else []
    return shlex.join(["micro", "run", *flags, name, *write_arguments(params, plugin.contract.parameters)])


def curl_line(name: str, params: Mapping[str, Any], settings: Settings) -> str:
    """Return the call as curl to the address that the setting ``bind`` names."""
    body = json.dumps(params, ensure_ascii=False)
    header = "Content-Type: application/json"
    return shlex.join(
        ["curl", *_address(settings.bind, f"/run/{quote(name, safe='')}"), "-H", header, "-d", body]
    )


def _address(bind: str, path: str) -> list[str]:
    if bind.startswith("unix:"):
        return ["--unix-socket", bind.removeprefix("unix:"), f"http://localhost{path}"]
    host, _, port = bind.rpartition(":")
    return [f"http://{'127.0.0.1' if host in _EVERY_INTERFACE else host}:{port}{path}"]
