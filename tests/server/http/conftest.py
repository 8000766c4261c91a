"""A server with the bridge, and a client that sends bytes as they are."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import parse_headers
from pathlib import Path
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")
_SCRIPT = Path(__file__).with_name("server.py")
_SECONDS = 20


def wait_until(find: Callable[[], Found], seconds: float = _SECONDS) -> Found:
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return found


@dataclass(frozen=True)
class Answer:
    """One answer as it came; ``chunks`` is None unless its body was sent in chunks."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes = b""
    chunks: int | None = None

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """A connection."""

    def __init__(self, address: tuple[str, int], receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(_SECONDS)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes | str) -> Client:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)
        return self

    def get(self, target: str, *headers: str) -> Client:
        return self.send("\r\n".join((f"GET {target} HTTP/1.1", "Host: test", *headers, "", "")))

    def post(self, target: str, body: bytes, *headers: str) -> Client:
        head = (f"POST {target} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *headers, "", "")
        return self.send("\r\n".join(head).encode() + body)

    def post_chunked(self, target: str, body: bytes, size: int = 100_000) -> Client:
        self.send(f"POST {target} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), size):
            block = body[start : start + size]
            self.send(b"%x\r\n%b\r\n" % (len(block), block))
        return self.send("0\r\n\r\n")

    def end_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def read(self, to_head: bool = False) -> Answer:
        """Read one answer, up to where its head says that it ends."""
        head = self.read_head()
        if "transfer-encoding" in head.headers:
            body, chunks = self.read_chunks()
            return replace(head, body=body, chunks=chunks)
        bodiless = to_head or head.status in (204, 304) or head.status < 200
        length = 0 if bodiless else int(head.headers.get("content-length", -1))
        return replace(head, body=self.file.read(length))

    def read_head(self) -> Answer:
        line = self.file.readline().decode()
        assert line, "the connection was closed without an answer"
        version, status, _ = line.split(maxsplit=2)
        headers = {name.lower(): value for name, value in parse_headers(self.file).items()}
        return Answer(version, int(status), headers)

    def read_chunk(self) -> bytes:
        data = self.file.read(int(self.file.readline(), 16))
        assert self.file.readline() == b"\r\n"
        return data

    def is_closed(self) -> bool:
        """Tell, once the server has closed the connection, that nothing more came."""
        try:
            return self.file.read() == b""
        except ConnectionResetError:
            return True

    def read_chunks(self) -> tuple[bytes, int]:
        chunks = []
        while chunk := self.read_chunk():
            chunks.append(chunk)
        return b"".join(chunks), len(chunks)


class Served:
    """A running server."""

    def __init__(self, folder: Path, options: dict[str, Any], given: dict[str, Any]) -> None:
        self.folder = folder
        folder.mkdir()
        given |= {"folder": str(folder), "options": options}
        with (folder / "output").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(_SCRIPT), json.dumps(given)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def wait_until_ready(self, workers: int) -> Served:
        self.workers = wait_until(lambda: self.ready_workers(workers), 20)
        address = next(self.folder.glob("worker-*")).read_text()
        host, port = re.fullmatch(r"https?://(.+):(\d+)", address).groups()
        self.address = (host, int(port))
        return self

    def ready_workers(self, count: int = 1, without: tuple[int, ...] = ()) -> tuple[int, ...]:
        """Return the ids of the workers that have started, once there are so many others."""
        assert self.process.poll() is None, self.output()
        found = {int(path.name.split("-")[1]) for path in self.folder.glob("worker-*")} - {*without}
        return tuple(sorted(found)) if len(found) >= count else ()

    def connect(self, receive_buffer: int = 0) -> Client:
        return Client(self.address, receive_buffer)

    def get(self, target: str) -> Answer:
        with self.connect() as client:
            return client.get(target).read()

    def open(self, gate: str) -> None:
        (self.folder / gate).touch()

    def events(self) -> list[str]:
        path = self.folder / "events"
        return path.read_text().splitlines() if path.exists() else []

    def forget(self) -> None:
        """Forget what has happened."""
        (self.folder / "events").unlink(missing_ok=True)

    def wait_for(self, event: str, count: int = 1, seconds: float = _SECONDS) -> None:
        wait_until(lambda: self.events().count(event) >= count, seconds)

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Stop it; return its exit status."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


@contextmanager
def _starter(folder: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(
        body: dict[str, Any] | None = None,
        head: dict[str, Any] | None = None,
        plugins: str = "",
        loop: str = "auto",
        **options: Any,
    ) -> Served:
        given = {"body": body or {}, "head": head or {}, "plugins": plugins, "loop": loop}
        started.append(Served(folder / f"server{len(started)}", options, given))
        return started[-1].wait_until_ready(options.get("workers", 1))

    try:
        yield start
    finally:
        for each in started:
            each.end()
            # pytest shows it when the test has failed.
            print(each.output(), file=sys.stderr)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Start a server of the test's own; its keywords are gunicorn's settings."""
    with _starter(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def serve_shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Like ``serve``, for the tests of a module."""
    with _starter(tmp_path_factory.mktemp("http")) as start:
        yield start


@pytest.fixture(scope="session", name="wait_until")
def wait_until_fixture() -> Callable[..., Any]:
    """Call a function until it returns something true; fail after some seconds."""
    return wait_until
