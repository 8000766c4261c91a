"""Who may call what over REST, where keys are asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from micro.api.rest import create_app
from micro.api.rest.auth import OPEN_PATHS
from micro.jobs.models import NewJob
from micro.jobs.store.store import JobStore
from micro.service import Micro

ALL, SOME, NONE = "key-for-all-plugins", "key-for-some-of-them", "key-for-nothing-here"
KEYS = [
    {"name": "all", "key": ALL},
    {"name": "some", "key": SOME, "plugins": ["echo", "Second"]},
    {"name": "none", "key": NONE, "plugins": []},
]
OPEN = ("/docs", "/ui", "/livez", "/readyz", "/healthz", "/version")
PLUGIN = """
    from micro import PluginBase, PluginDescription

    class {name}(PluginBase):
        def run(self, **params):
            return params

    plugin = PluginDescription(
        name="{name}", version="1", description="d", examples=[{{"params": {{"a": 1}}}}]
    )
"""
HOOKS = """
    from micro import hookimpl

    @hookimpl
    def micro_app(app):
        @app.get("/own")
        def own():
            return {}
"""
NAMES = ("Echo", "Second", "Other")


@pytest.fixture
def micro(load: Callable[..., Micro]) -> Micro:
    files = {f"{name.lower()}/interface.py": PLUGIN.format(name=name) for name in NAMES}
    return load({**files, "hooks/interface.py": HOOKS}, api_keys=KEYS)


@pytest.fixture
def app(micro: Micro) -> Iterator[Flask]:
    app = create_app(micro=micro)
    yield app
    app.extensions["micro_jobs"].store.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("headers", [bearer(ALL), {"Authorization": f"bearer  {ALL} "}, {"X-API-Key": ALL}])
def test_a_key_opens_the_service(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/run/echo", json={"a": 1}, headers=headers)
    assert (answer.status_code, answer.json) == (200, {"a": 1})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("wrong-key-wrong-key"),
        bearer(""),
        {"Authorization": f"Basic {ALL}"},
        {"Authorization": ALL},
        {"X-API-Key": "wrong"},
        {"X-API-Key": "wrong", **bearer(ALL)},
        {"X-API-Key": f"{ALL},{ALL}"},
    ],
)
def test_what_is_no_key_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/run/echo", json={"a": 1}, headers=headers)
    body = answer.json or {}
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="micro"'
    assert (body["status"], body["code"]) == (401, "unauthorized")
    assert body["request_id"] == answer.headers["X-Request-ID"]


def test_every_route_asks_for_a_key_but_probes_and_pages_without_data(app: Flask) -> None:
    client = app.test_client()
    asked: set[str] = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS"}:
            with client.open(path, method=method, buffered=True) as answer:
                if answer.status_code == 401:
                    asked.add(rule.rule)
                else:
                    assert rule.rule == "/" or rule.rule.startswith(OPEN)
    assert {"/own", "/plugins", "/info/<path:name>", "/help/<path:name>", "/run/<path:name>"} <= asked
    assert {"/openapi.json", "/jobs", "/jobs/<job_id>", "/jobs/<job_id>/events"} <= asked


@pytest.mark.parametrize(
    "path", ["/nothing", "/docs/../run/echo", "//docs", "/livez/x", "/version/../plugins"]
)
def test_what_is_not_there_is_told_to_holders_of_keys_only(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in (401, 404)
    assert client.post(path, json={}).status_code in (401, 404, 405)
    assert client.get("/nothing").status_code == 401
    assert client.get("/nothing", headers=bearer(SOME)).status_code == 404
    assert client.put("/plugins", headers=bearer(SOME)).status_code == 405


def test_a_browser_may_ask_which_methods_there_are(client: FlaskClient) -> None:
    answer = client.options("/run/echo")
    assert (answer.status_code, answer.data) == (200, b"")
    assert client.options("/nothing").status_code == 401


def test_a_key_sees_its_plugins(client: FlaskClient) -> None:
    def names(key: str) -> list[str]:
        return [each["name"] for each in client.get("/plugins", headers=bearer(key)).json or ()]

    assert sorted(names(ALL)) == sorted(NAMES)
    assert sorted(names(SOME)) == ["Echo", "Second"]
    assert names(NONE) == []


@pytest.mark.parametrize("path", ["info", "help"])
def test_a_key_is_told_about_its_plugins(client: FlaskClient, path: str) -> None:
    assert client.get(f"/{path}/second", headers=bearer(SOME)).status_code == 200
    assert client.get(f"/{path}/Other", headers=bearer(SOME)).status_code == 403


@pytest.mark.parametrize("name", ["Other", "other", "OTHER", "nothing", "Oth%65r"])
@pytest.mark.parametrize("headers", [{}, {"Prefer": "respond-async"}])
def test_a_key_runs_its_plugins_only(client: FlaskClient, name: str, headers: dict[str, str]) -> None:
    answer = client.post(f"/run/{name}", json={}, headers=bearer(SOME) | headers)
    body = answer.json or {}
    assert (answer.status_code, body["code"]) == (403, "forbidden")
    assert body["error"].endswith("it may call 'Echo', 'Second'")
    assert client.post("/run/ECHO", json={}, headers=bearer(SOME)).status_code == 200


def test_a_key_for_some_plugins_does_not_open_what_tells_of_all(client: FlaskClient) -> None:
    assert client.get("/own", headers=bearer(ALL)).status_code == 200
    answer = client.get("/own", headers=bearer(SOME))
    assert (answer.status_code, (answer.json or {})["code"]) == (403, "forbidden")


def test_the_document_has_the_key_s_plugins_and_says_how_to_send_it(client: FlaskClient) -> None:
    def document(key: str) -> dict[str, Any]:
        found: dict[str, Any] = client.get("/openapi.json", headers=bearer(key)).json or {}
        return found

    validate(document(ALL))
    assert {"/run/echo", "/run/second", "/run/other"} <= document(ALL)["paths"].keys()
    assert "/run/other" not in document(SOME)["paths"] and "/run/echo" in document(SOME)["paths"]
    assert document(ALL)["security"] == [{"bearer": []}, {"header": []}]
    assert document(ALL)["components"]["securitySchemes"].keys() == {"bearer", "header"}
    paths = document(ALL)["paths"].items()
    assert {path for path, item in paths if item.get("get", {}).get("security") == []} == OPEN_PATHS


@pytest.mark.parametrize("key", [ALL, SOME, NONE, "wrong-key-wrong-key"])
def test_a_probe_asks_nobody(client: FlaskClient, key: str) -> None:
    document = client.get("/openapi.json", headers=bearer(ALL)).json or {}
    for path in ("/livez", "/version"):
        assert client.get(path, headers=bearer(key)).status_code == 200
        assert document["paths"][path]["get"]["security"] == []


@pytest.fixture
def jobs(app: Flask) -> dict[str, str]:
    """Put a job of each plugin on record, twice; the ids of the newer ones."""
    store: JobStore = app.extensions["micro_jobs"].store
    app.extensions["micro_jobs"]._wake = lambda job, queue: None
    made = [(name, store.submit(NewJob(name, {"a": 1}, queue="micro"))[0].id) for name in NAMES * 2]
    return dict(made)


def test_a_key_lists_the_jobs_of_its_plugins(client: FlaskClient, jobs: dict[str, str]) -> None:
    def listed(key: str, query: str = "") -> list[str]:
        answer = client.get(f"/jobs{query}", headers=bearer(key))
        assert answer.status_code == 200
        page = answer.json or {}
        found = [each["plugin"] for each in page["jobs"]]
        return found + (listed(key, page["next"].removeprefix("/jobs")) if page["next"] else [])

    assert listed(ALL) == [*reversed(NAMES * 2)]
    assert listed(SOME) == ["Second", "Echo"] * 2
    assert listed(SOME, "?limit=1") == listed(SOME, "?limit=2") == listed(SOME, "?limit=3") == listed(SOME)
    assert listed(SOME, "?plugin=echo") == ["Echo", "Echo"]
    assert listed(NONE) == []
    refused = [client.get(f"/jobs?plugin={name}", headers=bearer(SOME)) for name in ("other", "nothing")]
    # They say the same, whether there is such a plugin or not.
    assert [each.status_code for each in refused] == [403, 403]
    assert len({each.json["error"] for each in refused}) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/result"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
    ],
)
def test_a_job_of_another_plugin_is_not_there(
    client: FlaskClient, jobs: dict[str, str], method: str, path: str
) -> None:
    answer = client.open(f"/jobs/{jobs['Other']}{path}", method=method, headers=bearer(SOME))
    assert (answer.status_code, (answer.json or {})["code"]) == (404, "job-not-found")
    found = client.get(f"/jobs/{jobs['Other']}", headers=bearer(ALL))
    assert (found.json or {})["state"] == "queued" and not (found.json or {})["cancel_requested"]


def test_a_key_cancels_the_jobs_of_its_plugins(client: FlaskClient, jobs: dict[str, str]) -> None:
    answer = client.post(f"/jobs/{jobs['Echo']}/cancel", headers=bearer(SOME))
    assert (answer.status_code, (answer.json or {})["state"]) == (202, "cancelled")


def test_a_page_of_another_origin_reads_why_it_was_refused(load: Callable[..., Micro]) -> None:
    micro = load({}, api_keys=KEYS, gunicorn_options={"cors": {"origins": "https://there.example"}})
    client = create_app(micro=micro).test_client()
    origin = {"Origin": "https://there.example"}
    asking = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "X-API-Key",
    }
    before = client.options("/run/echo", headers=asking)
    refused = client.get("/plugins", headers=origin)
    assert (before.status_code, before.headers["Access-Control-Allow-Headers"]) == (200, "X-API-Key")
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, origin["Origin"])
