"""What the client makes of HTTP as it is met: lost connections, proxies, redirects, strangers."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from micro.client import Client, NoAnswer, ServiceUnreachable, connect
from micro.errors import ConfigError, Conflict, JobNotFound, MicroError, PluginError, Unauthorized

JOB = {"id": "1", "plugin": "Adder", "state": "queued", "progress": None, "error": None}
BREAK = b"the connection is to be broken here"
PROBLEM = {"Content-Type": "application/problem+json"}


@dataclass
class Answer:
    """What the server says: JSON, or bytes as they are; BREAK among these breaks the connection."""

    content: object = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers with what it was given, one after the other and the last again; keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.asked.append(Asked(self.command, self.path, _lower(self.headers), body))
            answer = server.next()
            before, broken, _ = answer.body.partition(BREAK)
            if before or not broken:
                self.send_response(answer.status)
                if "Transfer-Encoding" not in answer.headers:
                    self.send_header("Content-Length", str(len(answer.body)))
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(before)
            self.close_connection = bool(broken) or answer.headers.get("Connection") == "close"

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - so the base class finds them

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    return Handler


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(*answers: Answer) -> Server:
        servers.append(Server(*answers))
        return servers[-1]

    yield serve
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture
def to() -> Iterator[Callable[..., Client]]:
    """Connect a client, which is closed in the end."""
    clients: list[Client] = []

    def to(url: str, **options: Any) -> Client:
        clients.append(connect(url, **options))
        return clients[-1]

    yield to
    for client in clients:
        client.close()


Serve = Callable[..., Server]
To = Callable[..., Client]


def test_a_service_that_is_not_there_is_named_without_its_password(to: To, closed_port: int) -> None:
    url = f"http://me:secret@127.0.0.1:{closed_port}/base"
    client = to(url)
    with pytest.raises(ServiceUnreachable, match="cannot be reached") as caught:
        client.run("Adder")
    assert not caught.value.sent
    assert url.replace("me:secret@", "") in str(caught.value)
    assert "secret" not in f"{caught.value} {client!r}"


def test_a_name_that_no_host_has_is_unreachable(to: To) -> None:
    with pytest.raises(ServiceUnreachable, match="cannot be reached"):
        to("http://no-such-host.invalid").plugins()


def test_the_base_url_may_have_a_path_and_a_user(to: To, serve: Serve) -> None:
    server = serve(Answer([]))
    client = to(f"{server.url.replace('//', '//me:s%40fe@')}/some/base/", api_key="key-1")
    client.plugins()
    asked = server.asked[0]
    assert asked.path == "/some/base/plugins"
    assert asked.headers["authorization"] == "Basic bWU6c0BmZQ=="
    assert asked.headers["x-api-key"] == "key-1"


@pytest.mark.parametrize("url", ["http://", "http://host/?a=1", "http://host/#part", "gopher://host", "host"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="Expected a URL such as"):
        connect(url)


@pytest.mark.parametrize("url", ["redis://:secret@host:6379/0", "amqp://me:secret@host//"])
def test_a_broker_is_not_called_by_this_client(url: str) -> None:
    with pytest.raises(
        ConfigError, match=r"http.*; to run plugins through a broker, use .*Requests$"
    ) as caught:
        connect(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("ask", [Client.plugins, lambda client: client.submit("Adder", a=1)])
def test_what_is_safe_is_asked_again_when_a_connection_breaks(
    to: To, serve: Serve, ask: Callable[[Client], object]
) -> None:
    server = serve(Answer(BREAK), Answer(JOB))
    assert ask(to(server.url))
    first, second = server.asked
    assert first.body == second.body
    assert first.headers.get("idempotency-key") == second.headers.get("idempotency-key")


def test_a_run_is_not_asked_again_when_a_connection_breaks(to: To, serve: Serve) -> None:
    server = serve(Answer(BREAK), Answer({}))
    with pytest.raises(ServiceUnreachable, match="broke off") as caught:
        to(server.url).run("Adder", a=1)
    assert caught.value.sent
    assert len(server.asked) == 1


def test_each_submission_has_a_key_of_its_own(to: To, serve: Serve) -> None:
    server = serve(Answer(JOB, 202))
    client = to(server.url)
    client.submit("Adder")
    client.submit("Adder")
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 2
    assert server.asked[0].headers["prefer"] == "respond-async"


def test_an_answer_that_does_not_come_in_time_is_a_timeout(to: To) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = to(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.1)
        with pytest.raises(TimeoutError, match="did not answer in time") as caught:
            client.plugins()
    assert isinstance(caught.value, NoAnswer)
    assert caught.value.sent


@pytest.mark.parametrize(
    ("status", "content", "hint"),
    [
        (502, b"<h1>Bad Gateway</h1>", "does Micro run behind it?"),
        (404, b"<h1>Not here</h1>", "is the URL right?"),
        (200, b"<h1>Welcome</h1>", "is the URL right?"),
        (500, {"message": "not ours"}, "is the URL right?"),
        (403, ["nor this"], "is the URL right?"),
    ],
)
def test_answers_of_strangers_are_told_apart(
    to: To, serve: Serve, status: int, content: object, hint: str
) -> None:
    server = serve(Answer(content, status))
    with pytest.raises(ServiceUnreachable, match=f"answered {status}, and not as Micro does") as caught:
        to(server.url).run("Adder")
    assert str(caught.value).endswith(hint)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "user-unknown", PluginError),
        (404, "not-found", PluginError),
        (413, "request-entity-too-large", MicroError),
        (401, "unauthorized", Unauthorized),
    ],
)
def test_a_refusal_of_the_service_is_not_taken_for_the_plugins(
    to: To, serve: Serve, status: int, code: str, error: type[MicroError]
) -> None:
    server = serve(Answer({"error": "No", "code": code}, status, PROBLEM))
    with pytest.raises(MicroError, match="No") as caught:
        to(server.url).run("Adder")
    assert (type(caught.value), caught.value.status, caught.value.code) == (error, status, code)


def test_an_unknown_conflict_is_a_conflict(to: To, serve: Serve) -> None:
    server = serve(Answer({"error": "No", "code": "some-day"}, 409, PROBLEM))
    with pytest.raises(Conflict) as caught:
        to(server.url).submit("Adder")
    assert caught.value.code == "some-day"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_keep_the_call_and_its_parameters(to: To, serve: Serve, status: int) -> None:
    target = serve(Answer({"sum": 1}))
    server = serve(Answer(b"", status, {"Location": f"{target.url}/run/Adder"}))
    assert to(server.url).run("Adder", a=1) == {"sum": 1}
    asked = target.asked[0]
    assert (asked.method, asked.body) == ("POST", b'{"a": 1}')


def test_another_host_gets_no_key(to: To, serve: Serve) -> None:
    target = serve(Answer([]))
    elsewhere = target.url.replace("127.0.0.1", "localhost")
    server = serve(Answer(b"", 307, {"Location": f"{elsewhere}/plugins"}))
    to(server.url.replace("//", "//me:pw@"), api_key="key-1").plugins()
    assert "x-api-key" in server.asked[0].headers
    assert {"x-api-key", "authorization"}.isdisjoint(target.asked[0].headers)


def test_redirects_in_a_circle_end(to: To, serve: Serve) -> None:
    server = serve(Answer(b"", 307, {"Location": "/plugins"}))
    with pytest.raises(ServiceUnreachable, match="redirects in a circle"):
        to(server.url).run("Adder")


def test_the_proxy_of_the_environment_is_used(to: To, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(Answer([]))
    monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "me:pw@"))
    monkeypatch.setenv("no_proxy", "localhost")
    to("http://service.invalid:8000").plugins()
    asked = proxy.asked[0]
    assert asked.path == "http://service.invalid:8000/plugins"
    assert asked.headers["proxy-authorization"] == "Basic bWU6cHc="
    direct = serve(Answer([{}]))
    assert to(direct.url.replace("127.0.0.1", "localhost")).plugins() == [{}]


def test_a_certificate_that_nobody_vouches_for_is_refused(to: To, serve: Serve, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl makes the certificate, and is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *names]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = serve(Answer([]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    with pytest.raises(ServiceUnreachable, match="No secure connection to https://localhost"):
        to(server.url.replace("http://127.0.0.1", "https://localhost")).run("Adder")
    assert server.asked == []


def event(number: int, state: str) -> bytes:
    return f"id: {number}\nevent: state\ndata: {json.dumps({'state': state})}\n\n".encode()


STREAM = {"Content-Type": "text/event-stream"}
CHUNKS = {**STREAM, "Transfer-Encoding": "chunked"}


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


TOLD = event(1, "queued") + b":\n\n" + event(2, "running")
CUT = event(3, "succeeded")[:-5]


@pytest.mark.parametrize(
    "broken",
    [
        Answer(TOLD + CUT + BREAK, headers=STREAM),
        Answer(chunk(TOLD) + chunk(CUT) + BREAK, headers=CHUNKS),
        Answer(chunk(TOLD + CUT) + b"0\r\n\r\n", headers=CHUNKS),
    ],
    ids=["plain", "chunked", "ended"],
)
def test_events_go_on_where_they_were_when_the_connection_was_lost(
    to: To, serve: Serve, broken: Answer
) -> None:
    server = serve(
        Answer(JOB),
        broken,
        Answer({"error": "Down", "code": "store-unavailable"}, 503, PROBLEM),
        Answer(b"", headers=STREAM),
        Answer(event(3, "succeeded"), headers=STREAM),
        Answer(b"", 204),
    )
    told = [(each.number, each.data["state"]) for each in to(server.url).job("1").events()]
    assert told == [(1, "queued"), (2, "running"), (3, "succeeded")]
    asked = [asked.headers.get("last-event-id") for asked in server.asked[1:]]
    assert asked == ["0", "2", "2", "2", "3"]


def test_events_of_an_unknown_job_are_an_error(to: To, serve: Serve) -> None:
    server = serve(Answer(JOB), Answer({"error": "No job", "code": "job-not-found"}, 404, PROBLEM))
    with pytest.raises(JobNotFound):
        list(to(server.url).job("1").events())


def test_a_result_is_waited_for_through_an_outage(to: To, serve: Serve) -> None:
    server = serve(
        Answer(JOB),
        Answer({"error": "Down", "code": "store-unavailable"}, 503, PROBLEM),
        Answer({**JOB, "state": "succeeded"}),
        Answer({"sum": 3}),
    )
    assert to(server.url).job("1").result(timeout=10) == {"sum": 3}
