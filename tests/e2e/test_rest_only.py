"""``micro -G`` alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Runs in every Python process below the folder, and writes at its end what it has imported.
_SITE = """
import atexit, os, sys
def tell():
    with open({folder!r} + "/modules-" + str(os.getpid()), "w") as file:
        file.write(" ".join(sys.modules))
atexit.register(tell)
"""


def test_it_never_imports_celery(start_micro: Callable[..., Any], good_plugins: str, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE.format(folder=str(site)))
    paths = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    micro = start_micro("-G", "-p", good_plugins, PYTHONPATH=paths)
    loaded = set(micro.call("/run/process", {})["modules"])
    assert "flask" in loaded
    assert loaded.isdisjoint({"celery", "kombu"})
    rest = micro.pid("rest")
    expected = {micro.process.pid, rest}
    assert micro.stop() == 0
    told = {
        int(path.stem.partition("-")[2]): set(path.read_text().split()) for path in site.glob("modules-*")
    }
    assert expected <= told.keys()
    assert all(modules.isdisjoint({"celery", "kombu"}) for modules in told.values())
    assert told[micro.process.pid].isdisjoint({"flask", "gunicorn", "pydantic", "sqlalchemy"})


def test_it_serves_on_a_unix_socket(start_micro: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "rest.sock"
    micro = start_micro("-G", "-b", f"unix:{path}")
    assert micro.url == f"unix:{path}"
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(b"GET /plugins HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").readline().split()[1] == b"200"


def test_without_a_plugin_it_says_how_to_name_some(start_micro: Callable[..., Any], tmp_path: Path) -> None:
    empty = tmp_path / "plugins"
    empty.mkdir()
    micro = start_micro("-G", "-p", str(empty), "-ln", "other.log")
    assert " serves 0 plugins\n  Name a folder of plugin folders with -p," in micro.output()
    assert micro.call("/plugins") == []
    assert micro.log.with_name("other.log").exists()


def test_host_and_port_make_the_address_when_nothing_else_does(start_micro: Callable[..., Any]) -> None:
    micro = start_micro("-G", MICRO_BIND=None, HOST="localhost", PORT="0")
    assert micro.url.startswith("http://127.0.0.1:")
    assert micro.call("/plugins") == []


def test_the_defaults_as_a_file_start_it(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(run_micro("-d").stdout)
    assert start_micro("-c", str(file), "-G").call("/plugins") == []
