"""What the application works out once must come out as Flask does it for each request."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, after_this_request, request, session, url_for
from werkzeug.test import EnvironBuilder

from micro.api.rest.flask_app import Application

PATHS = ("/", "", "/a", "/a/", "//a", "/b/x", "/b/x/", "/b/ü%20/y", "/none", "/c/3", "/c/x", "/b/%ff")
HOSTS = ("one.example", "one.example:8080", "localhost", "[::1]:80", "bücher.example", "no host!", "")


def build(cls: type[Flask], **config: Any) -> Flask:
    app = cls("app", static_folder=None)
    app.config.update(config)

    def tell(**arguments: Any) -> dict[str, Any]:
        links = [url_for("b", name="z"), url_for("b", name="z", _external=True)]
        return {"endpoint": request.endpoint, "arguments": arguments, "host": request.host, "links": links}

    app.add_url_rule("/", "root", tell)
    app.add_url_rule("/a/", "a", tell)
    app.add_url_rule("/b/<path:name>", "b", tell)
    app.add_url_rule("/c/<int:number>", "c", tell, methods=["POST"])
    return app


def answer(app: Flask, path: str, method: str = "GET", **environ: str) -> tuple[int, bytes, str | None]:
    told = app.test_client().open("/", method=method, environ_overrides={"PATH_INFO": path, **environ})
    return told.status_code, told.data, told.headers.get("Location")


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", PATHS)
def test_a_route_is_the_same_the_first_time_and_later(path: str, method: str) -> None:
    ours, theirs = build(Application), build(Flask)
    expected = answer(theirs, path, method)
    assert answer(ours, path, method) == expected
    assert answer(ours, path, method) == expected


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HOSTS)
def test_links_and_redirects_name_the_host_of_the_request(host: str, scheme: str) -> None:
    environ = {"HTTP_HOST": host.encode().decode("latin-1"), "wsgi.url_scheme": scheme, "QUERY_STRING": "q=1"}
    ours, theirs = build(Application), build(Flask)
    for path in ("/", "/a", "/none"):
        assert answer(ours, path, **environ) == answer(theirs, path, **environ)


def test_what_is_called_after_one_request_is_not_kept() -> None:
    app, kept = build(Application), []

    def view() -> str:
        def after(response: Response) -> Response:
            return response

        kept.append(weakref.ref(after))
        after_this_request(after)
        return "done"

    app.add_url_rule("/view", view_func=view)
    for _ in range(2000):
        app.test_client().get("/view")
    gc.collect()
    assert sum(each() is not None for each in kept) < 500


def test_a_view_may_have_no_hash() -> None:
    class View(list[str]):
        def __call__(self) -> str:
            return "viewed"

    app = build(Application)
    app.add_url_rule("/view", "view", View())
    assert answer(app, "/view")[:2] == (200, b"viewed")


def test_a_server_may_leave_the_path_out() -> None:
    def answer_without_path(app: Flask) -> list[str]:
        environ = EnvironBuilder().get_environ()
        del environ["PATH_INFO"]
        told: list[str] = []
        b"".join(app(environ, lambda status, headers, exc_info=None: told.append(status)))
        return told

    assert answer_without_path(build(Application)) == answer_without_path(build(Flask))


def test_a_prefix_is_part_of_links() -> None:
    environ = {"SCRIPT_NAME": "/below"}
    assert answer(build(Application), "/a", **environ) == answer(build(Flask), "/a", **environ)


@pytest.mark.parametrize("config", [{"SERVER_NAME": "one.example"}, {"TRUSTED_HOSTS": ["one.example"]}])
@pytest.mark.parametrize("host", HOSTS[:3])
def test_settings_about_hosts_hold(host: str, config: dict[str, Any]) -> None:
    environ = {"HTTP_HOST": host}
    assert answer(build(Application, **config), "/", **environ) == answer(
        build(Flask, **config), "/", **environ
    )


def test_arguments_are_each_requests_own() -> None:
    app = Application("app", static_folder=None)

    @app.get("/<name>")
    def spoil(name: str) -> list[Any]:
        assert request.view_args is not None
        request.view_args["more"] = 1
        return [name, len(request.view_args)]

    for _ in range(2):
        assert app.test_client().get("/x").json == ["x", 2]


def test_routes_that_are_asked_for_once_take_no_room_for_ever() -> None:
    app = build(Application)
    client = app.test_client()
    for number in range(1100):
        client.get(f"/b/{number}")
    assert len(app._routes) <= 1024  # type: ignore[attr-defined]


def add_after_request(app: Flask) -> None:
    app.after_request(mark)


def add_after_request_of_a_blueprint(app: Flask) -> None:
    blueprint = Blueprint("part", __name__)
    blueprint.after_request(mark)
    blueprint.add_url_rule("/part", view_func=lambda: "part")
    app.register_blueprint(blueprint)


def add_after_this_request(app: Flask) -> None:
    app.add_url_rule("/this", view_func=lambda: after_this_request(mark) and "this")


def add_session(app: Flask) -> None:
    app.secret_key = "secret"
    app.add_url_rule("/session", view_func=lambda: session.update(user="Ada") or "session")


def mark(response: Response) -> Response:
    response.headers["Marked"] = "yes"
    return response


@pytest.mark.parametrize(
    "add", [add_after_request, add_after_request_of_a_blueprint, add_after_this_request, add_session]
)
def test_what_is_to_be_done_after_a_request_is_done(add: Callable[[Flask], None]) -> None:
    def headers(kind: type[Flask]) -> list[list[str]]:
        app = build(kind)
        add(app)
        answers = [app.test_client().get(path) for path in ("/a", "/part", "/this", "/session")]
        # The value of a session's cookie has the time in it.
        return [[name for name, _ in each.headers] for each in answers]

    found = headers(Application)
    assert found == headers(Flask)
    assert any({"Marked", "Set-Cookie"}.intersection(each) for each in found)
