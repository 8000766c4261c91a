"""The answer of a run stays one that hooks can change as any of Flask's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, Response

from micro.api.rest.result import Result

Change = Callable[[Response], Any]


def app_with(change: Change) -> Flask:
    app = Flask("app", static_folder=None)
    app.add_url_rule("/", "run", lambda: Result('{"a": 1}'), methods=["GET", "POST"])

    @app.after_request
    def after(response: Response) -> Response:
        change(response)
        return response

    return app


@pytest.mark.parametrize(
    ("change", "body"),
    [
        (lambda response: None, b'{"a": 1}'),
        (lambda response: response.set_data("ü"), "ü".encode()),
        (lambda response: setattr(response, "response", ["a", "b"]), b"ab"),
        (lambda response: setattr(response, "response", iter([b"a", b"b"])), b"ab"),
        (lambda response: setattr(response, "status_code", 204), b""),
        (lambda response: setattr(response, "status_code", 201), b'{"a": 1}'),
    ],
)
def test_what_a_hook_makes_of_it_is_sent(change: Change, body: bytes) -> None:
    told = app_with(lambda response: (response.headers.pop("Content-Length"), change(response)))
    answer = told.test_client().post("/")
    assert answer.data == body


def test_it_says_how_long_it_is_and_what() -> None:
    answer = app_with(lambda response: None).test_client().post("/")
    assert dict(answer.headers) == {"Content-Type": "application/json", "Content-Length": "8"}


def test_it_has_no_body_where_only_the_head_is_asked_for() -> None:
    answer = app_with(lambda response: None).test_client().head("/")
    assert (answer.data, answer.headers["Content-Length"]) == (b"", "8")


def test_what_is_to_happen_at_its_end_happens() -> None:
    happened: list[int] = []
    app = app_with(lambda response: response.call_on_close(lambda: happened.append(1)))
    with app.test_client().post("/") as answer:
        assert answer.data == b'{"a": 1}'
    assert happened == [1]
