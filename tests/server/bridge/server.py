"""Serves a WSGI application that tells what it sees, under the bridge and gunicorn.

Its argument is JSON: the ``folder`` of its events and gates, gunicorn's ``options``, the bridge's
``limits``, ``plugins``, a plugin path whose Micro is to be served instead, and ``eager``, whether each
call is taken for a quick one.
"""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from wsgiref.validate import validator

from gunicorn.app.base import BaseApplication

from micro.server.asgi import BridgeWorker
from micro.server.body import Limits
from micro.server.bridge import Bridge
from micro.server.connection import Connection

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


def quick(request: Request) -> Iterable[bytes]:
    """Tell which thread answers; at once, but where a gate is shut."""
    if not request.events.is_open(request.query["gate"]):
        request.events.tell("waits")
        request.events.wait_for(request.query["gate"])
    data = json.dumps({"thread": threading.current_thread().name}).encode()
    request.start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
    return [data]


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


def replace(request: Request) -> Iterable[bytes]:
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


_ALL = (status, numbers, write, wait, quick, rests, head, fail, replace, freeze)
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


def tell_of_tasks(path: Path) -> None:
    """Have a file tell of each call that gunicorn's task sees to."""
    handle = Connection._handle_http_request

    async def told(self: Connection, request: Any, *args: Any) -> Any:
        with path.open("a") as file:
            file.write(f"{request.method} {request.path}\n")
        return await handle(self, request, *args)

    Connection._handle_http_request = told


class Server(BaseApplication):
    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.folder = Path(given["folder"])
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": "127.0.0.1:0",
            "worker_class": BridgeWorker,
            "threads": 4,
            "asgi_loop": "asyncio",
            "loglevel": "info",
            "asgi_disconnect_grace_period": 0,
            "control_socket_disable": True,
            "post_worker_init": lambda worker: self._ready(worker),
            "worker_exit": lambda _arbiter, _worker: Events(self.folder).tell("exits"),
        }
        for key, value in {**options, **self.given["options"]}.items():
            self.cfg.set(key, value)

    def load(self) -> Bridge:
        limits = Limits(**self.given["limits"])
        if plugins := self.given.get("plugins"):
            # Here, as most tests do not need them and would wait for them.
            from micro.api.headers import FIXED
            from micro.api.rest import create_app
            from micro.layers import load_settings

            app = create_app(load_settings({"plugin_path": plugins, "max_body_size": limits.body_size}, {}))
            bridge = Bridge(app, self.cfg.threads, limits, fixed=FIXED)
        else:
            bridge = Bridge(watched(make_app(Events(self.folder))), self.cfg.threads, limits)
        if self.given["eager"]:
            tell_of_tasks(self.folder / "tasks")
            bridge._pace.is_quick = lambda path: True  # type: ignore[method-assign]
        return bridge

    def _ready(self, worker: Any) -> None:
        draft = self.folder / f"draft-{worker.pid}"
        draft.write_text(str(worker.sockets[0]))
        draft.rename(self.folder / f"worker-{worker.pid}")


if __name__ == "__main__":
    Server(json.loads(sys.argv[1])).run()
