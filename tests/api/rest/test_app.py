"""REST: the four routes, what they accept, and how the application is served."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import quote
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from micro.api.rest import create_app
from micro.errors import ConfigError

ECHO = """
    from micro import PluginBase, PluginDescription

    class Echo(PluginBase):
        def run(self, **params):
            return params

    plugin = PluginDescription(name="Echo", version="1.0", description="Says it again")
"""
HOOKS = """
    from flask import Blueprint, abort
    from micro import hookimpl

    @hookimpl
    def micro_app(app):
        blueprint = Blueprint("own", __name__)

        @blueprint.get("/own/<name>")
        def own(name):
            return {"name": name}

        app.register_blueprint(blueprint)
"""


@pytest.fixture
def micro(load):
    return load({"echo/interface.py": ECHO})


@pytest.fixture
def post(rest_client):
    """Post raw bytes to /run/echo."""

    def send(body: bytes, content_type: str | None = "application/json", **more):
        return rest_client.post("/run/echo", data=body, content_type=content_type, **more)

    return send


def test_plugins_lists_them_with_the_keys_in_their_order(rest_client):
    answer = rest_client.get("/plugins")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.text == '[{"name": "Echo", "version": "1.0", "description": "Says it again"}]'


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/info/Echo", "name version url author author_email description long_description"),
        ("/help/echo", "name version help"),
    ],
)
def test_info_and_help_begin_with_the_keys_of_the_contract_in_their_order(rest_client, path, keys):
    answer = rest_client.get(path)
    assert answer.status_code == 200
    expected = keys.split()
    assert list(answer.json)[: len(expected)] == expected
    assert answer.json["name"] == "Echo"


def test_run_answers_with_what_the_plugin_returned(post):
    body = '{"b":1,"a":["ä",null,1.5,true]}'
    answer = post(body.encode())
    assert (answer.status_code, answer.mimetype, answer.text) == (200, "application/json", body)


@pytest.mark.parametrize("body", [b"", b" \n", b"{}"])
def test_an_empty_body_means_no_parameters(post, body):
    assert post(body).json == {}


def test_an_empty_body_needs_no_content_type(post):
    assert post(b"", content_type=None).json == {}


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "application/vnd.api+json", "APPLICATION/JSON"],
)
def test_json_may_come_under_each_of_its_media_types(post, content_type):
    assert post(b'{"a": 1}', content_type=content_type).json == {"a": 1}


BAD_BODIES = {
    "no JSON": (b"name=Ada", "The body is not valid JSON: Expecting value: line 1 column 1 (char 0)"),
    "cut short": (b'{"a": ', "The body is not valid JSON: Expecting value"),
    "two values": (b"{} {}", "The body is not valid JSON: Extra data"),
    "a list": (b"[1]", "The body must be a JSON object of parameters, found a list"),
    "a string": (b'"a"', "found a string"),
    "a number": (b"1.5", "found a number"),
    "an integer": (b"1", "found a number"),
    "a boolean": (b"true", "found a boolean"),
    "null": (b"null", "found null"),
    "a key twice": (b'{"a": {"b": 1, "b": 2}}', "the key 'b' is given more than once"),
    "NaN": (b'{"a": NaN}', "NaN is no JSON number"),
    "infinity": (b'{"a": -Infinity}', "-Infinity is no JSON number"),
    "not UTF-8": (b'{"a": "\xe4"}', "The body is not UTF-8: byte 7 cannot be decoded; send JSON in UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "The body is not UTF-8: byte 0"),
    "a byte order mark": (b'\xef\xbb\xbf{"a": 1}', "The body is not valid JSON: Unexpected UTF-8 BOM"),
    "too deep": (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The body is nested too deeply"),
    "a huge integer": (b'{"a": ' + b"1" * 5000 + b"}", "The body is not valid JSON"),
}


@pytest.mark.parametrize("kind", BAD_BODIES)
def test_a_body_that_is_no_json_object_is_a_bad_request(post, kind):
    body, sentence = BAD_BODIES[kind]
    answer = post(body)
    assert (answer.status_code, answer.json["code"]) == (400, "bad-request")
    assert sentence in answer.json["error"]


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "text/{json}"]
)
def test_a_body_that_is_not_declared_as_json_is_refused(post, content_type):
    answer = post(b'{"a": 1}', content_type=content_type)
    found = content_type or "none"
    assert answer.status_code == 415
    assert answer.json["error"] == f"Expected the header 'Content-Type: application/json', found {found}"


@pytest.fixture
def small(load):
    """A client of Micro with a limit of ten bytes."""
    return create_app(micro=load({"echo/interface.py": ECHO}, max_body_size=10)).test_client()


def test_a_body_at_the_limit_is_read_and_one_beyond_it_is_not(small):
    assert small.post("/run/echo", data=b'{"a": 123}', content_type="application/json").json == {"a": 123}
    answer = small.post("/run/echo", data=b'{"a": 1234}', content_type="application/json")
    assert answer.status_code == 413
    assert answer.json["error"] == "The body is larger than the limit of 10 bytes"


CHUNKED = {"content_type": "application/json", "headers": {"Transfer-Encoding": "chunked"}}


def test_a_chunked_body_is_held_to_the_limit_while_it_is_read(small):
    def send(body: bytes):
        # As gunicorn does it: no length, and a stream that ends by itself.
        environ = {"wsgi.input_terminated": True}
        return small.post("/run/echo", input_stream=BytesIO(body), environ_overrides=environ, **CHUNKED)

    assert send(b'{"a": 123}').json == {"a": 123}
    assert send(b'{"a": 1234}').status_code == 413


def test_a_chunked_body_is_refused_where_the_server_cannot_tell_its_end(rest_client):
    answer = rest_client.post("/run/echo", input_stream=BytesIO(b'{"a": 1}'), **CHUNKED)
    assert (answer.status_code, answer.json["code"]) == (411, "length-required")


@pytest.mark.parametrize(
    "name", ["Two Words", "a/b", "Ünï ☃", "50%", "what?", "#1", "a+b", "a&b", "..", 'a"b']
)
def test_any_name_can_be_called_when_it_is_percent_encoded(load, name):
    micro = load({"odd/interface.py": ECHO.replace('"Echo"', repr(name))})
    client = create_app(micro=micro).test_client()
    assert client.get(f"/info/{quote(name, safe='')}").json["name"] == name
    assert client.post(f"/run/{quote(name, safe='')}", json={"a": 1}).json == {"a": 1}


def test_slashes_that_came_twice_are_a_redirect_to_the_path_without(rest_client):
    answer = rest_client.get("/info//echo")
    assert (answer.status_code, answer.location) == (308, "http://localhost/info/echo")


@pytest.mark.parametrize("path", ["/plugins", "/info/echo", "/help/echo"])
def test_head_answers_without_a_body(rest_client, path):
    answer = rest_client.head(path)
    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.content_length == rest_client.get(path).content_length


@pytest.mark.parametrize(
    ("path", "allow"), [("/plugins", {"GET", "HEAD", "OPTIONS"}), ("/run/echo", {"POST", "OPTIONS"})]
)
def test_options_tells_the_methods(rest_client, path, allow):
    answer = rest_client.options(path)
    assert answer.status_code == 200
    assert set(answer.allow) == allow


@pytest.mark.parametrize("path", ["/plugins", "/missing", "/info/missing"])
def test_a_request_id_is_taken_over(rest_client, path):
    answer = rest_client.get(path, headers={"X-Request-ID": "a.B:1/2+3=4_5-6"})
    assert answer.headers["X-Request-ID"] == "a.B:1/2+3=4_5-6"


@pytest.mark.parametrize("given", [None, "", "two words", "{}", "ü", "a" * 129, "a;b"])
def test_a_request_id_that_is_missing_or_odd_is_replaced(rest_client, given):
    answer = rest_client.get("/plugins", headers={} if given is None else {"X-Request-ID": given})
    assert len(answer.headers["X-Request-ID"]) == 32
    assert answer.headers["X-Request-ID"] != given


ORIGIN = {"Origin": "https://page.example"}


def cors(load, options):
    return create_app(micro=load({"echo/interface.py": ECHO}, gunicorn_options={"cors": options}))


def test_without_cors_no_other_origin_is_allowed(rest_client):
    assert "Access-Control-Allow-Origin" not in rest_client.get("/plugins", headers=ORIGIN).headers


@pytest.mark.parametrize("path", ["/plugins", "/info/missing", "/missing"])
@pytest.mark.parametrize(
    "options",
    [{}, {"origins": "https://page.example"}, {"resources": {r"/*": {"origins": ["https://page.example"]}}}],
)
def test_cors_of_the_file_allows_origins_for_errors_too(load, options, path):
    answer = cors(load, options).test_client().get(path, headers=ORIGIN)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://page.example")


def test_a_browser_may_ask_before_it_posts(load):
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    client = cors(load, {"origins": ["https://page.example"], "max_age": 60}).test_client()
    told = client.options("/run/echo", headers={**ORIGIN, **asked}).headers
    assert "POST" in told["Access-Control-Allow-Methods"]
    assert told["Access-Control-Allow-Headers"] == "content-type"
    assert told["Access-Control-Max-Age"] == "60"
    other = client.options("/run/echo", headers={"Origin": "https://other.example", **asked}).headers
    assert "Access-Control-Allow-Origin" not in other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("*", "Setting 'gunicorn.cors': expected an object of Flask-CORS options, found '*'."),
        ({"orgins": "*"}, "Unknown setting 'gunicorn.cors.orgins'; did you mean 'origins'?"),
        ({"zzz": 1}, "Unknown setting 'gunicorn.cors.zzz'; expected one of: allow_headers, "),
        ({"origins": 5}, "Setting 'gunicorn.cors.origins': expected a string or a list of strings, found 5."),
        ({"methods": ["GET", 5]}, "Setting 'gunicorn.cors.methods': expected a string or a list of strings"),
        (
            {"send_wildcard": "no"},
            "Setting 'gunicorn.cors.send_wildcard': expected true or false, found 'no'.",
        ),
        (
            {"supports_credentials": True, "send_wildcard": True},
            "Setting 'gunicorn.cors' is not valid for Flask-CORS: Cannot use supports_credentials",
        ),
        ({"resources": 5}, "Setting 'gunicorn.cors' is not valid for Flask-CORS: "),
        (
            {"resources": {"/run/*": {"orgins": "*"}}},
            "Unknown setting 'gunicorn.cors.resources./run/*.orgins'",
        ),
        ({"resources": {"/run/*": 5}}, "Setting 'gunicorn.cors.resources./run/*': expected an object"),
    ],
)
def test_cors_options_that_flask_cors_would_pass_over_are_refused(load, options, message):
    with pytest.raises(ConfigError) as caught:
        cors(load, options)
    assert caught.value.message.startswith(message)


def test_a_plugin_may_add_routes_through_its_hook(load):
    client = create_app(micro=load({"own/interface.py": HOOKS})).test_client()
    assert client.get("/own/it").json == {"name": "it"}


def test_a_hook_that_fails_does_not_keep_the_service_from_serving(load, caplog):
    bad = "from micro import hookimpl\n@hookimpl\ndef micro_app(app): app.nothing()\n"
    client = create_app(micro=load({"bad/interface.py": bad, "own/interface.py": HOOKS})).test_client()
    assert client.get("/own/it").status_code == 200
    assert "Hook micro_app of bad" in caplog.text


def test_without_settings_they_are_read_from_the_environment(plugin_dir, monkeypatch, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"micro": {"max_body_size": 10}}))
    monkeypatch.setenv("MICRO_PLUGIN_PATH", str(plugin_dir({"echo/interface.py": ECHO})))
    monkeypatch.setenv("MICRO_CONFIG_FILE", str(config))
    client = create_app().test_client()
    assert client.post("/run/echo", json={"a": 1}).json == {"a": 1}
    assert client.post("/run/echo", json={"a": 12345}).status_code == 413


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def other_server(micro) -> Iterator[http.client.HTTPConnection]:
    """A connection to the application in the server of the standard library."""
    with make_server("127.0.0.1", 0, create_app(micro=micro), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
        try:
            yield connection
        finally:
            connection.close()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [(b'{"a": 1}', 200, b'{"a":1}'), (b"", 200, b"{}"), (b"[1]", 400, b"The body must be a JSON object")],
)
def test_any_wsgi_server_can_serve_the_application(other_server, body, status, answer):
    other_server.request("POST", "/run/Echo", body, {"Content-Type": "application/json"})
    response = other_server.getresponse()
    assert response.status == status
    assert answer in response.read()
