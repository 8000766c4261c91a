from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from micro import __version__
from micro.api.rest import create_app
from micro.jobs.queue import make_celery
from micro.jobs.service import Jobs
from micro.plugin.context import RunContext
from micro.service import Micro

MakeMicro = Callable[..., Micro]
Samples = dict[str, dict[tuple[str, ...], float]]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def _scrape(client: FlaskClient) -> Samples:
    response = client.get("/metrics")
    assert response.status_code == 200
    found: Samples = {}
    for family in text_string_to_metric_families(response.text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_runs_plugins_and_version_are_shown(load: MakeMicro, plugins: Path) -> None:
    client = create_app(micro=load(plugins / "good")).test_client()
    assert client.post("/run/plain", json={}).status_code == 200
    assert client.post("/run/plain", json={"no": 1}).status_code == 422
    assert client.post("/run/nothing-of-that-name").status_code == 404
    found = _scrape(client)
    assert found["micro_runs_total"] == {("succeeded", "Plain", "rest"): 1, ("refused", "Plain", "rest"): 1}
    assert found["micro_run_seconds_count"] == {("Plain", "rest"): 2}
    assert found["micro_runs_in_progress"] == {("Plain",): 0}
    assert found["micro_build_info"] == {(__version__,): 1}
    assert len(found["micro_plugin_info"]) == 4
    # A service without jobs asks neither broker nor table.
    assert not {"micro_jobs", "micro_queue_depth", "micro_reachable"} & found.keys()


def test_open_metrics_are_given_to_those_who_ask_for_them(load: MakeMicro) -> None:
    client = create_app(micro=load({})).test_client()
    response = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.content_type.startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
    assert client.get("/metrics").content_type.startswith("text/plain")


def test_metrics_may_be_switched_off(load: MakeMicro) -> None:
    assert create_app(micro=load({}, metrics="no")).test_client().get("/metrics").status_code == 404


@pytest.mark.parametrize("broker", ["rabbitmq_url", "redis_url"])
def test_jobs_and_what_waits_are_counted(
    broker: str,
    load: MakeMicro,
    plugins: Path,
    task_queue: str,
    request: pytest.FixtureRequest,
    wait_for: Callable[..., object],
) -> None:
    url = request.getfixturevalue(broker)
    micro = load(plugins / "good", broker_url=url, task_queues=task_queue)
    app = create_app(micro=micro)
    client = app.test_client()
    # The first answer may come too late, as what it needs is imported only now.
    wait_for(lambda: (task_queue,) in _scrape(client).get("micro_queue_depth", {}))
    jobs: Jobs = app.extensions["micro_jobs"]
    for _ in range(2):
        jobs.submit("plain", {}, RunContext("rest"))
    celery = make_celery(micro.settings)
    celery.send_task("Micro.run", ("Plain",), queue=task_queue)
    # Two queued jobs, and one message of a Celery client.
    wait_for(lambda: _scrape(client)["micro_queue_depth"][task_queue,] == 3)
    found = _scrape(client)
    assert found["micro_jobs"]["queued",] == 2
    assert found["micro_jobs"]["running",] == 0
    assert found["micro_reachable"] == {("store",): 1, ("queues",): 1}
    with celery.connection_for_write() as connection:
        for queue in (task_queue, f"{task_queue}.jobs"):
            connection.default_channel.queue_delete(queue)
    for each in (celery, jobs._celery):
        each.close()


def test_a_broker_that_is_away_costs_its_own_numbers_only(
    load: MakeMicro, wait_for: Callable[..., object]
) -> None:
    client = create_app(micro=load({}, broker_url="amqp://127.0.0.1:1//")).test_client()
    wait_for(lambda: _scrape(client)["micro_reachable"] == {("store",): 1, ("queues",): 0})
    found = _scrape(client)
    assert "micro_queue_depth" not in found
    assert "micro_jobs" in found
