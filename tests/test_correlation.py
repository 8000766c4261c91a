from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from micro.api.rest import create_app
from micro.api.tasks import create_celery
from micro.correlation import CALL, Call, accept, accept_message, http_headers, message_headers, working_for
from micro.service import Micro

MakeMicro = Callable[..., Micro]
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = "vendor=1,other=a:b"
ECHO = """
    import logging
    from micro import PluginBase, PluginDescription
    from micro.correlation import message_headers

    class Echo(PluginBase):
        def run(self):
            return message_headers()

    plugin = PluginDescription(name="Echo")
"""


@pytest.fixture
def client(load: MakeMicro) -> FlaskClient:
    return create_app(micro=load({"echo/interface.py": ECHO})).test_client()


def test_what_a_caller_sent_is_kept() -> None:
    assert accept("order-7", TRACE, STATE) == Call("order-7", TRACE, STATE)


@pytest.mark.parametrize("sent", [None, "", "two words", "x" * 129, "naïve", 7, "a\nb"])
def test_a_request_id_that_is_none_is_replaced(sent: object) -> None:
    assert re.fullmatch("[0-9a-f]{32}", accept(sent, None).request_id)
    assert accept(sent, None, own_id="task-1").request_id == "task-1"


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "00",
        TRACE.upper(),
        f"{TRACE}-more",
        TRACE.replace("00-", "ff-", 1),
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        f"01{TRACE[2:]}-{'x' * 600}",
    ],
)
def test_a_trace_that_is_none_is_replaced_with_its_state(sent: object) -> None:
    call = accept("r", sent, STATE)
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", call.traceparent or "")
    assert call.tracestate is None


def test_a_trace_of_a_later_version_is_passed_on() -> None:
    later = f"01{TRACE[2:]}-more"
    assert accept("r", later).traceparent == later


def test_a_state_that_is_none_is_left_out() -> None:
    assert [accept("r", TRACE, state).tracestate for state in ("", "ä=1", "x" * 600, 7)] == [None] * 4


def test_a_message_tells_what_it_is_sent_for() -> None:
    assert message_headers() == http_headers() == {}
    with working_for(Call("order-7", TRACE, STATE)):
        headers = message_headers()
        assert http_headers() == {"X-Request-ID": "order-7", "traceparent": TRACE, "tracestate": STATE}
    assert CALL.get() is None
    assert accept_message(headers.get, "task-1") == Call("order-7", TRACE, STATE)


def test_rest_returns_what_it_was_sent_and_hands_it_to_the_run(client: FlaskClient) -> None:
    headers = {"X-Request-ID": "order-7", "traceparent": TRACE, "tracestate": STATE}
    answer = client.post("/run/echo", headers=headers)
    assert answer.json == {"request_id": "order-7", "traceparent": TRACE, "tracestate": STATE}
    assert (answer.headers["X-Request-ID"], answer.headers["traceparent"]) == ("order-7", TRACE)
    # Nothing of it is left for whatever the thread does next.
    assert CALL.get() is None


def test_rest_makes_what_it_was_not_sent(client: FlaskClient) -> None:
    first, second = client.post("/run/echo"), client.post("/run/echo")
    assert first.json == {
        "request_id": first.headers["X-Request-ID"],
        "traceparent": first.headers["traceparent"],
    }
    assert first.headers["traceparent"] != second.headers["traceparent"]


def test_a_celery_client_may_send_headers_of_its_own(load: MakeMicro) -> None:
    app = create_celery(micro=load({"echo/interface.py": ECHO}))
    app.conf.update(task_always_eager=True)
    run = app.tasks["Micro.run"]
    sent = {"request_id": "order-7", "traceparent": TRACE, "tracestate": STATE}
    assert run.apply_async(("Echo",), headers=sent).get() == (
        f'{{"request_id":"order-7","traceparent":"{TRACE}","tracestate":"{STATE}"}}'
    )
    assert '"request_id":"task-1"' in run.apply_async(("Echo",), task_id="task-1").get()
