"""The real server behind a certificate, as gunicorn's own settings name it."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.client import ServiceUnreachable, connect

pytestmark = pytest.mark.measured

# A test dependency of this file alone.
trustme = pytest.importorskip("trustme")

KEY = "a-key-that-travels-safely"


@pytest.fixture(scope="module")
def authority() -> Any:
    return trustme.CA()


@pytest.fixture
def files(authority: Any, tmp_path: Path) -> dict[str, str]:
    """Write a certificate for this machine, its key, another key, and the authority's certificate."""
    certificate, other = (authority.issue_cert("127.0.0.1", "localhost") for _ in range(2))
    written = {
        "certfile": certificate.cert_chain_pems[0],
        "keyfile": certificate.private_key_pem,
        "other": other.private_key_pem,
        "authority": authority.cert_pem,
    }
    for name, blob in written.items():
        blob.write_to_path(tmp_path / f"{name}.pem")
    return {name: str(tmp_path / f"{name}.pem") for name in written}


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., str]:
    """Write a configuration file with these settings of gunicorn."""

    def write(**options: Any) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"gunicorn": options}))
        return str(path)

    return write


def test_it_serves_https(
    start_micro: Callable[..., Any],
    config: Callable[..., str],
    files: dict[str, str],
    good_plugins: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = config(certfile=files["certfile"], keyfile=files["keyfile"])
    micro = start_micro("-c", file, "-G", "-p", good_plugins, MICRO_API_KEYS=f"caller:{KEY}")
    assert micro.url.startswith("https://127.0.0.1:")
    with connect(micro.url, api_key=KEY) as client, pytest.raises(ServiceUnreachable, match="No secure"):
        client.plugins()
    monkeypatch.setenv("SSL_CERT_FILE", files["authority"])
    with connect(micro.url, api_key=KEY) as client:
        assert client.plugins()
        assert client.run("process")["modules"]
    with socket.create_connection(("127.0.0.1", int(micro.url.rpartition(":")[2])), 10) as plain:
        plain.sendall(b"GET /plugins HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " not in plain.recv(1000)
    context = ssl.create_default_context(cafile=files["authority"])
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with (
        socket.create_connection(("127.0.0.1", int(micro.url.rpartition(":")[2])), 10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as safe,
    ):
        safe.sendall(b"GET /plugins HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert safe.recv(1000).startswith(b"HTTP/1.1 401 ")
    assert "Traceback" not in micro.output()
    assert KEY not in micro.output() + micro.log.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"certfile": "gone.pem", "keyfile": "keyfile"}, "'certfile' names 'gone.pem', where no file is."),
        ({"keyfile": "keyfile"}, "expected 'certfile' beside 'keyfile'"),
        ({"certfile": "certfile", "keyfile": "other"}, "expected a certificate and its key in PEM"),
        ({"certfile": "certfile"}, "expected a certificate and its key in PEM"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_told_at_the_start(
    run_micro: Callable[..., Any],
    config: Callable[..., str],
    files: dict[str, str],
    options: dict[str, str],
    message: str,
) -> None:
    file = config(**{name: files.get(value, value) for name, value in options.items()})
    done = run_micro("-c", file, "-G")
    assert done.returncode == 2
    assert f"Error: Section 'gunicorn' (file {file}): " in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
