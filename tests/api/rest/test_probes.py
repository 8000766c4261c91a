from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from micro import __version__
from micro.api.rest import create_app
from micro.api.rest.probes import readiness_of
from micro.runtime.health import NotReady
from micro.service import Micro

MakeMicro = Callable[..., Micro]
NOWHERE = "amqp://guest:secret@127.0.0.1:1//"


def _checks(client: FlaskClient) -> dict[str, tuple[str, str]]:
    body = client.get("/readyz?verbose").get_json()
    return {each["name"]: (each["status"], each["detail"]) for each in body["checks"]}


@pytest.mark.parametrize("path", ["/livez", "/healthz"])
def test_a_process_is_live_whatever_else_is_not(path: str, load: MakeMicro) -> None:
    app = create_app(micro=load({}, broker_url=NOWHERE))
    response = app.test_client().get(path)
    assert (response.status_code, response.get_json()) == (200, {"status": "live"})
    assert response.headers["Cache-Control"] == "no-store"


def test_the_version_is_told(load: MakeMicro) -> None:
    answer = create_app(micro=load({})).test_client().get("/version").get_json()
    assert answer["version"] == __version__


def test_a_service_without_jobs_needs_its_plugins_only(load: MakeMicro, plugins: Path) -> None:
    client = create_app(micro=load(plugins / "good")).test_client()
    assert client.get("/readyz").get_json() == {"status": "ready"}
    assert _checks(client) == {"plugins": ("passed", "4 loaded, 0 left out")}


def test_a_service_is_not_ready_when_every_plugin_was_left_out(load: MakeMicro) -> None:
    client = create_app(micro=load({"bad/interface.py": "1 / 0"})).test_client()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.content_type == "application/problem+json"
    body = response.get_json()
    assert (body["code"], body["failed"]) == ("not-ready", ["plugins"])
    assert body["error"] == "Not ready: plugins; /readyz?verbose gives the details"
    assert "checks" not in body
    assert _checks(client)["plugins"] == ("failed", "0 loaded, 1 left out")


def test_jobs_need_the_broker_and_the_store(
    load: MakeMicro, rabbitmq_url: str, redis_url: str, plugins: Path, wait_for: Callable[..., Any]
) -> None:
    for url in (rabbitmq_url, redis_url):
        client = create_app(micro=load(plugins / "good", broker_url=url)).test_client()
        # The first answer may take longer than a probe waits, as what it needs is imported only now.
        wait_for(lambda asked=client: asked.get("/readyz").status_code == 200)
        found = _checks(client)
        assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(
            ("plugins", "broker", "store"), "passed"
        )
        assert "guest:guest" not in found["broker"][1]


def test_a_broker_that_is_away_is_named_and_its_password_is_not_shown(
    load: MakeMicro, plugins: Path, wait_for: Callable[..., Any]
) -> None:
    client = create_app(micro=load(plugins / "good", broker_url=NOWHERE)).test_client()
    wait_for(lambda: _checks(client)["store"][0] == "passed")
    wait_for(lambda: "refused" in _checks(client)["broker"][1])
    response = client.get("/readyz?verbose")
    assert response.status_code == 503
    assert response.get_json()["failed"] == ["broker"]
    assert "refused" in response.text
    assert "secret" not in response.text


def test_a_broker_that_was_restarted_is_found_again(
    load: MakeMicro, own_broker: Any, plugins: Path, wait_for: Callable[..., Any]
) -> None:
    client = create_app(micro=load(plugins / "good", broker_url=own_broker.url)).test_client()
    wait_for(lambda: client.get("/readyz").status_code == 200)
    own_broker.kill()
    wait_for(lambda: client.get("/readyz").status_code == 503)
    own_broker.start(wait_for)
    wait_for(lambda: client.get("/readyz").status_code == 200)


def test_a_store_that_is_away_is_named(
    load: MakeMicro, plugins: Path, redis_url: str, wait_for: Callable[..., Any]
) -> None:
    nowhere = "postgresql://micro:secret@127.0.0.1:1/jobs"
    micro = load(plugins / "good", broker_url=redis_url, jobs_url=nowhere)
    client = create_app(micro=micro).test_client()
    wait_for(lambda: _checks(client)["broker"][0] == "passed")
    response = client.get("/readyz?verbose")
    assert response.status_code == 503
    assert response.get_json()["failed"] == ["store"]
    assert "secret" not in response.text


def test_a_feature_adds_a_check_of_its_own(load: MakeMicro, plugins: Path) -> None:
    app = create_app(micro=load(plugins / "good"))

    def check() -> str:
        raise NotReady("warming up")

    readiness_of(app).add("model", check)
    client = app.test_client()
    assert client.get("/readyz").status_code == 503
    assert _checks(client)["model"] == ("failed", "warming up")
