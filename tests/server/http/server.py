"""Serves a WSGI application that tells what it sees, under the bridge and gunicorn.

Its argument is JSON: the ``folder`` of its events and gates, gunicorn's ``options``, the ``loop``, the limits
of the ``body`` and of the ``head`` of a request, and ``plugins``, the path of plugins to serve instead.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from wsgiref.validate import validator

from gunicorn.app.base import BaseApplication

from micro.server.http.body import BodyLimits
from micro.server.http.bridge import Bridge
from micro.server.http.protocols import HeadLimits
from micro.server.http.worker import BridgeWorker

TEXT = [("Content-Type", "text/plain")]
BARE = "/bare"


@dataclass(frozen=True)
class Events:
    """What happened, one line each in a file, and the gates that the test opens."""

    folder: Path

    def tell(self, event: str) -> None:
        with (self.folder / "events").open("a") as file:
            file.write(f"{event}\n")

    def is_open(self, gate: str) -> bool:
        return (self.folder / gate).exists()

    def wait_for(self, gate: str) -> None:
        while not self.is_open(gate):
            time.sleep(0.005)


@dataclass(frozen=True)
class Request:
    environ: dict[str, Any]
    start: Callable[..., Callable[[bytes], object]]
    query: dict[str, str]
    events: Events


@dataclass(frozen=True)
class Blocks:
    """Blocks that tell when they are closed, and whether by a thread that the event loop does not run in."""

    blocks: Iterable[bytes]
    events: Events

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)

    def close(self) -> None:
        self.events.tell("closed in the loop" if _in_loop() else "closed in a thread")


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def environ(request: Request) -> Iterable[bytes]:
    """Tell what the application was given."""
    body = request.environ["wsgi.input"].read(2**30)
    seen = {key: value for key, value in request.environ.items() if isinstance(value, str | bool)}
    # The validator wraps the input.
    kind = type(request.environ["wsgi.input"].input).__name__
    seen |= {"length": len(body), "sha256": hashlib.sha256(body).hexdigest(), "input": kind}
    data = json.dumps(seen).encode()
    request.start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return Blocks([data], request.events)


def status(request: Request) -> Iterable[bytes]:
    """Answer with a status; a body only where one may be."""
    code = request.query["code"]
    bodiless = code in ("204", "304")
    request.start(f"{code} Some reason", [] if bodiless else TEXT)
    return [] if bodiless else [b"one, ", b"two"]


def numbers(request: Request) -> Iterable[bytes]:
    """Answer with blocks, with or without telling their length."""
    count, size = int(request.query["count"]), int(request.query["size"])
    told = [("Content-Length", str(count * size))] if request.query.get("told") else []
    request.start("200 OK", TEXT + told)
    return Blocks(_numbers(count, size, request.events), request.events)


def _numbers(count: int, size: int, events: Events) -> Iterator[bytes]:
    for number in range(count):
        if number % 100 == 0:
            events.tell(f"block {number}")
        yield b"%d" % (number % 10) * size


def write(request: Request) -> Iterable[bytes]:
    """Send by the function that start_response returns."""
    send = request.start("200 OK", TEXT)
    request.events.tell("writes")
    try:
        for _ in range(int(request.query["count"])):
            send(b"w" * int(request.query["size"]))
    finally:
        request.events.tell("wrote")
    return [b"end"]


def wait(request: Request) -> Iterable[bytes]:
    """Answer when a gate is opened."""
    request.events.tell("started")
    request.events.wait_for(request.query["gate"])
    request.events.tell("finished")
    request.start("200 OK", TEXT)
    return Blocks([b"done"], request.events)


def rests(request: Request) -> Iterable[bytes]:
    """Stream an event, then rest until a gate is opened, then stream another."""
    request.start("200 OK", TEXT)
    rest = request.environ["micro.rest"]

    def blocks() -> Iterator[bytes]:
        yield b"first"
        while not request.events.is_open(request.query["gate"]):
            yield rest(float(request.query.get("seconds", 0.01)))
        yield b"second"

    return Blocks(blocks(), request.events)


def head(request: Request) -> Iterable[bytes]:
    """Answer with the wished header, and a body of the wished size."""
    size = request.query.get("size", "1")
    named = [(request.query["name"], request.query["value"])] if "name" in request.query else []
    request.start(request.query.get("status", "200 OK"), [*TEXT, ("Content-Length", size), *named])
    return [b"x" * int(size)]


def fail(request: Request) -> Iterable[bytes]:
    """Raise before the answer, or in the middle of it."""
    if request.query["when"] == "early":
        raise ValueError("early")
    if request.query["when"] == "exit":
        raise SystemExit("exit")
    request.start("200 OK", TEXT)
    return Blocks(_failing(), request.events)


def _failing() -> Iterator[bytes]:
    yield b"block"
    raise ValueError("late")


def replace_head(request: Request) -> Iterable[bytes]:
    """Replace the head of the answer before and, in vain, after it was sent."""
    request.start("200 OK", TEXT)
    when = request.query["when"]
    if when == "after":
        return Blocks(_replacing(request), request.events)
    try:
        raise ValueError("replaced")
    except ValueError:
        request.start("503 Replaced", TEXT, sys.exc_info())
    return [b"sorry"]


def _replacing(request: Request) -> Iterator[bytes]:
    yield b"block"
    try:
        raise ValueError("too late")
    except ValueError:
        request.start("503 Replaced", TEXT, sys.exc_info())
    yield b"never"


def freeze(request: Request) -> Iterable[bytes]:
    """Keep the whole process from running, event loop and all."""
    request.events.tell("freezes")
    # Unlike others, a function of PyDLL is called without giving up the interpreter.
    ctypes.PyDLL(None).sleep(60)
    return []


_ALL = (status, numbers, write, wait, rests, head, fail, replace_head, freeze)
ROUTES = {each.__name__: each for each in _ALL}


def make_app(events: Events) -> Callable[..., Iterable[bytes]]:
    def app(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        route = ROUTES.get(environment["PATH_INFO"].removeprefix(BARE).strip("/"), environ)
        query = dict(parse_qsl(environment["QUERY_STRING"]))
        return route(Request(environment, start, query, events))

    return app


def watched(app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Have the validator between server and application, but for paths below BARE."""
    validated = validator(app)

    def choose(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
        return (app if environment["PATH_INFO"].startswith(BARE) else validated)(environment, start)

    return choose


def make_worker(given: dict[str, Any]) -> type[BridgeWorker]:
    class Worker(BridgeWorker):
        CONFIG_KWARGS: ClassVar[dict[str, Any]] = {**BridgeWorker.CONFIG_KWARGS, "loop": given["loop"]}

        def head_limits(self) -> HeadLimits:
            return replace(super().head_limits(), **given["head"])

    return Worker


class Server(BaseApplication):
    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.folder = Path(given["folder"])
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": "127.0.0.1:0",
            "worker_class": make_worker(self.given),
            "threads": 4,
            "loglevel": "info",
            "control_socket_disable": True,
            "post_worker_init": lambda worker: self._ready(worker),
            "worker_exit": lambda _arbiter, _worker: Events(self.folder).tell("exits"),
        }
        for key, value in {**options, **self.given["options"]}.items():
            self.cfg.set(key, value)

    def load(self) -> Bridge:
        limits = BodyLimits(**self.given["body"])
        if plugins := self.given.get("plugins"):
            # Imported here, because most tests do not need them and would wait for them.
            from micro.api.rest import create_app
            from micro.config.loading import load_settings

            app = create_app(load_settings({"plugin_path": plugins, "max_body_size": limits.size}, {}))
            return Bridge(app, self.cfg.threads, limits)
        return Bridge(watched(make_app(Events(self.folder))), self.cfg.threads, limits)

    def _ready(self, worker: Any) -> None:
        draft = self.folder / f"draft-{worker.pid}"
        draft.write_text(str(worker.sockets[0]))
        draft.rename(self.folder / f"worker-{worker.pid}")


if __name__ == "__main__":
    Server(json.loads(sys.argv[1])).run()
