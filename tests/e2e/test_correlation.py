from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from email.message import Message
from typing import Any

from micro.correlation import Call, working_for

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID = TRACE.split("-")[1]
TALKS = """
    import logging
    from micro import PluginBase, PluginDescription

    log = logging.getLogger("the.authors.own")

    class Talks(PluginBase):
        def run(self, word: str, fail: bool = False):
            log.warning("says %s", word)
            print("prints", word, flush=True)
            if fail:
                raise ValueError("no more to say")
            return {"word": word}

    plugin = PluginDescription(name="Talks")
"""


def _post(url: str, params: object, **headers: str) -> tuple[Message, Any]:
    request = urllib.request.Request(
        f"{url}/run/talks",
        json.dumps(params).encode(),
        {
            "Content-Type": "application/json",
            **{key.replace("_", "-"): each for key, each in headers.items()},
        },
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, json.load(answer)


def _said(micro: Any, text: str) -> list[dict[str, Any]]:
    return [
        fields
        for line in micro.log.read_text().splitlines()
        if text in (fields := json.loads(line))["message"]
    ]


def test_one_request_is_found_by_its_id_in_every_log_line_and_job(
    start_micro: Callable[..., Any], plugin_dir: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    path = str(plugin_dir({"talks/interface.py": TALKS}))
    micro = start_micro("-G", "-C", "-p", path, ready=False, MICRO_LOG_FORMAT="json", MICRO_LOG_LEVEL="INFO")
    serves = wait_for(lambda: [line for line in micro.output().splitlines() if " serves " in line], 20)
    micro_url = next(word for word in json.loads(serves[0])["message"].split() if word.startswith("http"))
    _check(micro, micro_url, wait_for)
    assert micro.stop() == 0
    # Of every process, whoever wrote it: the supervisor, gunicorn, Celery, the broker, a bare print().
    lines = [json.loads(line) for line in micro.output().splitlines()]
    assert {"micro", "rest", "worker1"} <= {line["process"] for line in lines}
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)


def _check(micro: Any, url: str, wait_for: Callable[..., Any]) -> None:
    headers, _ = _post(url, {"word": "alpha"}, X_Request_ID="order-7", traceparent=TRACE)
    assert (headers["X-Request-ID"], headers["traceparent"]) == ("order-7", TRACE)
    (line,) = wait_for(lambda: _said(micro, "says alpha"))
    assert (line["request_id"], line["trace_id"], line["process"]) == ("order-7", TRACE_ID, "rest")

    as_job = {"X_Request_ID": "order-8", "traceparent": TRACE, "Prefer": "respond-async"}
    _, job = _post(url, {"word": "beta", "fail": True}, **as_job)
    (line,) = wait_for(lambda: _said(micro, "says beta"))
    known = {name: line[name] for name in ("request_id", "trace_id", "job", "plugin", "process", "logger")}
    assert known == {
        "request_id": "order-8",
        "trace_id": TRACE_ID,
        "job": job["id"],
        "plugin": "Talks",
        "process": "worker1",
        "logger": "the.authors.own",
    }
    (failed,) = wait_for(lambda: _said(micro, "Plugin 'Talks' failed"))
    assert failed["request_id"] == "order-8"
    assert "ValueError: no more to say" in failed["exception"]
    assert (job["request_id"], job["traceparent"]) == ("order-8", TRACE)

    with urllib.request.urlopen(f"{url}/readyz?verbose", timeout=20) as answer:
        checks = {each["name"]: each["detail"] for each in json.load(answer)["checks"]}
    requests = micro.requests(broker_url=checks["broker"])
    own = {"request_id": "order-9", "traceparent": TRACE}
    requests.run.apply_async(("Talks",), {"word": "gamma"}, headers=own).wait(timeout=20)
    (line,) = wait_for(lambda: _said(micro, "says gamma"))
    assert (line["request_id"], line["trace_id"]) == ("order-9", TRACE_ID)
    with working_for(Call("order-10", TRACE)):
        requests.run.delay("Talks", word="delta").wait(timeout=20)
    (line,) = wait_for(lambda: _said(micro, "says delta"))
    assert (line["request_id"], line["trace_id"]) == ("order-10", TRACE_ID)
