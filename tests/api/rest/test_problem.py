"""Every error over REST is one problem body, whatever the path and whoever is at fault."""

from __future__ import annotations

import logging

import pytest
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable

from micro.api.rest import create_app
from micro.errors import StoreUnavailable

FAULTY = """
    from micro import PluginBase, PluginDescription, PluginError, hookimpl

    class Typed(PluginBase):
        def run(self, number: int = 1):
            return {"number": number}

    class Fails(PluginBase):
        def run(self):
            raise ValueError("s3cret")

    class Refuses(PluginBase):
        def run(self, status: int = 409):
            raise PluginError("sold {out}", status=status, code="sold-out")

    class Nothing(PluginBase):
        def run(self):
            return None

    @hookimpl
    def micro_plugins():
        return [PluginDescription(cls, cls.__name__) for cls in (Typed, Fails, Refuses, Nothing)]
"""
KEYS = {"type", "title", "status", "detail", "instance", "error", "code", "request_id", "trace_id"}
JSON = {"content_type": "application/json"}


@pytest.fixture
def micro(load):
    return load({"faulty/interface.py": FAULTY}, max_body_size=1000)


CASES = {
    "no such path": ("GET", "/nowhere", {}, 404, "not-found"),
    "no name": ("GET", "/info/", {}, 404, "not-found"),
    "a path with more": ("GET", "/plugins/typed", {}, 404, "not-found"),
    "no such plugin to describe": ("GET", "/info/missing", {}, 404, "plugin-not-found"),
    "no such plugin to explain": ("GET", "/help/missing", {}, 404, "plugin-not-found"),
    "no such plugin to run": ("POST", "/run/missing", {}, 404, "plugin-not-found"),
    "run by GET": ("GET", "/run/typed", {}, 405, "method-not-allowed"),
    "plugins by POST": ("POST", "/plugins", {}, 405, "method-not-allowed"),
    "an unknown method": ("BREW", "/plugins", {}, 405, "method-not-allowed"),
    "no JSON": ("POST", "/run/typed", {"data": "x", **JSON}, 400, "bad-request"),
    "no object": ("POST", "/run/typed", {"data": "[]", **JSON}, 400, "bad-request"),
    "no media type": ("POST", "/run/typed", {"data": "{}"}, 415, "unsupported-media-type"),
    "too large": ("POST", "/run/typed", {"data": "x" * 1001, **JSON}, 413, "request-entity-too-large"),
    "wrong parameters": ("POST", "/run/typed", {"json": {"number": "x"}}, 422, "invalid-parameters"),
    "a plugin that refuses": ("POST", "/run/refuses", {}, 409, "sold-out"),
    "a status of no name": ("POST", "/run/refuses", {"json": {"status": 499}}, 499, "sold-out"),
    "a plugin that fails": ("POST", "/run/fails", {}, 500, "plugin-failed"),
    "a result that is none": ("POST", "/run/nothing", {}, 500, "bad-result"),
}


@pytest.mark.parametrize("case", CASES)
def test_every_error_has_the_same_body(rest_client, case):
    method, path, options, status, code = CASES[case]
    answer = rest_client.open(path, method=method, headers={"X-Request-ID": "r-1"}, **options)
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    body = answer.json
    assert body.keys() - {"errors"} == KEYS
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["error"] == body["detail"] != ""
    assert body["title"]
    assert body["instance"] == path
    assert body["request_id"] == answer.headers["X-Request-ID"] == "r-1"
    assert body["trace_id"] == answer.headers["traceparent"].split("-")[1]


def test_a_wrong_method_is_told_the_right_ones(rest_client):
    answer = rest_client.get("/run/typed")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert answer.json["error"] == "Method GET is not allowed for /run/typed"


def test_an_unknown_path_is_told_the_known_ones(rest_client):
    sentence = "No such path: /no {where}; GET /plugins lists the plugins, POST /run/<name> runs one"
    assert rest_client.get("/no {where}").json["error"] == sentence


def test_wrong_parameters_are_pointed_at(rest_client):
    body = rest_client.post("/run/typed", json={"number": "x", "other": 1}).json
    assert {each["pointer"] for each in body["errors"]} == {"/number", "/other"}
    assert all(each["message"] for each in body["errors"])


def test_the_instance_is_a_uri_reference(rest_client):
    assert rest_client.get("/info/Two Wörds").json["instance"] == "/info/Two%20W%C3%B6rds"


def test_a_failure_tells_the_caller_no_more_than_where_the_log_has_it(rest_client, caplog):
    answer = rest_client.post("/run/fails", headers={"X-Request-ID": "r-1"})
    assert answer.json["error"] == "Plugin 'Fails' failed; the log has the cause under request r-1"
    assert "s3cret" not in answer.text
    assert "ValueError: s3cret" in caplog.text


@pytest.fixture
def client_of(micro):
    """A client of the application with one more path, /own, that runs this function."""

    def make(view):
        app = create_app(micro=micro)
        app.add_url_rule("/own", view_func=view)
        return app.test_client()

    return make


class Teapot(HTTPException):
    code = 418
    description = None

    def get_headers(self, *_: object) -> list[tuple[str, str]]:
        return [("Content-Type", "text/html"), ("X-Pot", "tea")]


def raising(error: Exception):
    def view() -> None:
        raise error

    return view


def test_a_path_of_a_plugins_own_may_explain_its_errors(client_of):
    answer = client_of(raising(NotFound("no customer {7}"))).get("/own")
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert answer.json["error"] == "no customer {7}"


def test_the_headers_of_an_error_are_kept(client_of):
    answer = client_of(raising(Teapot())).get("/own")
    assert (answer.status_code, answer.headers["X-Pot"]) == (418, "tea")
    assert answer.mimetype == "application/problem+json"
    assert answer.json["error"] == "I'm a teapot"


def test_an_error_that_may_pass_says_when_to_come_again(client_of):
    answer = client_of(raising(ServiceUnavailable(retry_after=7))).get("/own")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_an_error_of_micro_has_its_status_on_any_path(client_of):
    answer = client_of(raising(StoreUnavailable("no table"))).get("/own")
    assert (answer.status_code, answer.json["code"]) == (503, "store-unavailable")
    assert answer.json["error"] == "no table"


def test_a_bug_is_an_internal_error_and_the_log_has_it(client_of, caplog):
    client = client_of(raising(LookupError("s3cret")))
    with caplog.at_level(logging.ERROR):
        answer = client.get("/own", headers={"X-Request-ID": "r-1"})
    assert (answer.status_code, answer.json["code"]) == (500, "internal-error")
    assert answer.json["error"] == "Internal error; the log has the cause under request r-1"
    assert "Request r-1 to /own failed" in caplog.text
    assert "LookupError: s3cret" in caplog.text
