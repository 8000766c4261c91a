"""Celery: the four tasks, in this process and in a real worker over real brokers."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from amqp.exceptions import NotFound
from kombu import Connection

from micro.api.endpoints import Requests
from micro.api.tasks import create_celery
from micro.config.settings import Settings
from micro.errors import BadResult, ConfigError, PluginFailed

ECHO = """
    from micro import PluginBase, PluginDescription, PluginError, hookimpl

    class Echo(PluginBase):
        def run(self, **params):
            return params

    class Fails(PluginBase):
        def run(self, kind: str = "crash"):
            if kind == "refuse":
                raise PluginError("sold out", status=409, code="sold-out")
            return [] if kind == "list" else {}[kind]

    @hookimpl
    def micro_plugins():
        return [PluginDescription(Echo, "Echo", version="1.0"), PluginDescription(Fails, "Fails")]
"""


@pytest.fixture
def micro(load):
    return load({"echo/interface.py": ECHO})


def answer(result) -> Any:
    """The value of a task's JSON string."""
    text = result.wait(timeout=8)
    assert isinstance(text, str)
    return json.loads(text)


def test_the_tasks_have_the_names_of_the_contract(micro):
    tasks = create_celery(micro=micro).tasks
    assert {"Micro.plugins", "Micro.info", "Micro.help", "Micro.run"} <= set(tasks)


def test_each_operation_answers_as_a_json_string(celery_requests):
    assert [each["name"] for each in answer(celery_requests.plugins.delay())] == ["Echo", "Fails"]
    assert answer(celery_requests.info.delay("echo"))["version"] == "1.0"
    assert answer(celery_requests.help.delay("Echo"))["name"] == "Echo"
    assert answer(celery_requests.run.delay("Echo", text="hi")) == {"text": "hi"}


@pytest.mark.parametrize(("operation", "key"), [("info", "name"), ("help", "name"), ("run", "plugin_name")])
def test_the_plugins_name_may_come_by_name(celery_requests, operation, key):
    assert "error" not in answer(getattr(celery_requests, operation).delay(**{key: "echo"}))


def test_a_parameter_may_have_the_name_of_an_argument(celery_requests):
    given = {"plugin_name": 1, "name": 2, "args": 3, "kwargs": 4, "task_id": 5}
    assert answer(celery_requests.run.apply_async(args=("Echo",), kwargs=given)) == given


BAD_CALLS = {
    "no such plugin": (("run", "Ecko"), {}, "plugin-not-found", "'Ecko'; did you mean 'Echo'?"),
    "nothing to describe": (("info", "Ecko"), {}, "plugin-not-found", "plugin not found: 'Ecko'"),
    "nothing to explain": (("help", "Ecko"), {}, "plugin-not-found", "plugin not found: 'Ecko'"),
    "no name": (("run",), {}, "bad-request", "the plugin's name (plugin_name), a string; found None"),
    "no name to describe": (("info",), {}, "bad-request", "Expected the plugin's name (name), a string"),
    "a name that is none": (("help", ["Echo"]), {}, "bad-request", "a string; found ['Echo']"),
    "parameters without names": (
        ("run", "Echo", {"text": "hi"}),
        {},
        "bad-request",
        "Expected only the plugin's name by position, found 2; name the parameters",
    ),
    "a plugin that refuses": (("run", "Fails"), {"kind": "refuse"}, "sold-out", "sold out"),
    "parameters that do not fit": (("run", "Fails"), {"kind": 5}, "invalid-parameters", ""),
}


@pytest.mark.parametrize("case", BAD_CALLS)
def test_what_the_caller_did_wrong_comes_back_as_an_error_in_the_answer(celery_requests, case):
    (operation, *args), params, code, sentence = BAD_CALLS[case]
    told = answer(getattr(celery_requests, operation).delay(*args, **params))
    assert told["code"] == code
    assert sentence in told["error"]
    assert told.keys() <= {"error", "code", "errors"}


@pytest.mark.parametrize(("kind", "error"), [("crash", PluginFailed), ("list", BadResult)])
def test_a_plugin_that_breaks_fails_the_task(celery_requests, kind, error):
    result = celery_requests.run.apply_async(args=("Fails",), kwargs={"kind": kind}, task_id="task-7")
    assert result.state == "FAILURE"
    with pytest.raises(error) as caught:
        result.get()
    if error is PluginFailed:
        assert caught.value.message == "Plugin 'Fails' failed; the log has the cause under request task-7"


def test_two_applications_of_one_process_serve_their_own_plugins(micro, load, plugins):
    Requests("memory://", "elsewhere")
    listed = {}
    for each in (micro, load(plugins / "good")):
        app = create_celery(micro=each)
        app.conf.update(task_always_eager=True)
        listed[each] = {plugin["name"] for plugin in answer(Requests.of(app).plugins.delay())}
    assert listed[micro] == {"Echo", "Fails"}
    assert "Plain" in listed.popitem()[1]


def test_what_a_client_declares_cannot_be_run_in_place(connect):
    with pytest.raises(NotImplementedError, match=r"Micro\.run runs in a Micro worker"):
        connect("memory://", "micro").run("Echo")


def test_micros_choices_are_those_of_the_configuration(load):
    micro = load({}, broker_url="amqp://host//", task_queues="one,two")
    conf = create_celery(micro=micro).conf
    assert (conf.broker_url, conf.task_default_queue, conf.result_backend) == (
        "amqp://host//",
        "one",
        "rpc://",
    )
    assert (conf.accept_content, conf.task_serializer, conf.result_serializer) == (["json"], "json", "json")
    assert (conf.task_acks_late, conf.worker_prefetch_multiplier) == (True, 1)


def test_any_setting_of_celery_passes_through_from_the_file(load):
    options = {"task_time_limit": 7, "worker_prefetch_multiplier": 4, "broker_transport_options": {"a": 1}}
    conf = create_celery(micro=load({}, celery_options=options)).conf
    assert {name: conf[name] for name in options} == options


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("worker_concurency", "did you mean 'worker_concurrency'?"),
        ("WORKER_CONCURRENCY", "did you mean 'worker_concurrency'?"),
        ("zzz", "see Celery's list of settings"),
    ],
)
def test_a_setting_that_celery_does_not_have_is_refused(load, name, hint):
    with pytest.raises(ConfigError) as caught:
        create_celery(micro=load({}, celery_options={name: 1}))
    assert caught.value.message.startswith(f"Unknown setting {name!r} in section 'celery'")
    assert hint in caught.value.message


TASK = """
    from micro import hookimpl

    @hookimpl
    def micro_celery(app):
        @app.task(name="own.double")
        def double(number):
            return 2 * number
"""


def test_a_plugin_may_add_tasks_through_its_hook(load, caplog):
    bad = "from micro import hookimpl\n@hookimpl\ndef micro_celery(app): app.nothing()\n"
    app = create_celery(micro=load({"bad/interface.py": bad, "own/interface.py": TASK}))
    assert app.tasks["own.double"](4) == 8
    assert "Hook micro_celery of bad" in caplog.text


def test_without_settings_they_are_read_from_the_environment(plugin_dir, monkeypatch):
    monkeypatch.setenv("MICRO_PLUGIN_PATH", str(plugin_dir({"echo/interface.py": ECHO})))
    monkeypatch.setenv("MICRO_BROKER_URL", "memory://")
    app = create_celery()
    assert app.conf.broker_url == "memory://"
    assert json.loads(app.tasks["Micro.plugins"]())[0]["name"] == "Echo"


def test_the_celery_command_takes_the_application(plugin_dir, tmp_path):
    path = plugin_dir({"echo/interface.py": ECHO})
    module = tmp_path / "tasks.py"
    module.write_text(
        "from micro.api.tasks import create_celery\nfrom micro.config.loading import load_settings\n"
        f"app = create_celery(load_settings({{'plugin_path': {str(path)!r}}}))\n"
    )
    command = [sys.executable, "-m", "celery", "-A", "tasks", "report"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30)
    assert "accept_content: ['json']" in done.stdout


@pytest.fixture(scope="module")
def echo_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plugins")
    (path / "echo").mkdir()
    (path / "echo" / "interface.py").write_text(dedent(ECHO))
    return path


@pytest.fixture(scope="module", params=["rabbitmq_url", "redis_url"])
def broker(request) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture(scope="module")
def settings(broker, echo_path) -> Settings:
    queues = tuple(f"micro-test-{uuid.uuid4().hex[:12]}" for _ in range(2))
    return Settings(broker_url=broker, plugin_path=(echo_path,), task_queues=queues, log_level="INFO")


@pytest.fixture(scope="module")
def log(work, settings) -> Iterator[Path]:
    """The log of a worker that serves two queues."""
    with work(settings) as path:
        yield path


@pytest.fixture(scope="module")
def clients(log, settings, connect) -> list[Requests]:
    return [connect(settings.broker_url, queue) for queue in settings.task_queues]


@pytest.fixture(params=[0, 1], ids=["first queue", "second queue"])
def requests(request, clients) -> Requests:
    return clients[request.param]


def test_a_worker_answers_on_each_of_its_queues(requests):
    assert [each["name"] for each in answer(requests.plugins.delay())] == ["Echo", "Fails"]
    assert answer(requests.info.delay("Echo"))["name"] == "Echo"
    assert answer(requests.help.delay("Echo"))["name"] == "Echo"
    assert answer(requests.run.delay("Echo", text="ä")) == {"text": "ä"}


def test_a_node_leaves_no_queues_for_messages_that_never_come(log, settings):
    if settings.broker_url.startswith("redis") or settings.broker_url.endswith("//"):
        pytest.skip("Others may have left theirs there, or they are none")
    with Connection(settings.broker_url) as connection, pytest.raises(NotFound):
        connection.default_channel.queue_declare("celery_delayed_0", passive=True)


def test_many_calls_have_each_its_own_answer(requests):
    results = [requests.run.delay("Echo", number=number) for number in range(50)]
    assert [answer(result) for result in results] == [{"number": number} for number in range(50)]


def test_a_crash_in_a_worker_reaches_the_client_as_a_sentence(requests, log):
    result = requests.run.delay("Fails")
    with pytest.raises(PluginFailed) as caught:
        result.get(timeout=8)
    assert caught.value.message == f"Plugin 'Fails' failed; the log has the cause under request {result.id}"
    assert "KeyError: 'crash'" in log.read_text()


def test_what_a_python_client_sends_beyond_json_arrives_as_its_text(requests):
    given = {"day": date(2024, 2, 29), "id": uuid.UUID(int=7), "price": Decimal("1.10")}
    assert answer(requests.run.delay("Echo", **given)) == {name: str(value) for name, value in given.items()}


def test_a_number_that_json_does_not_have_is_refused(requests):
    told = answer(requests.run.delay("Echo", number=float("nan")))
    assert (told["code"], told["errors"][0]["pointer"]) == ("invalid-parameters", "/number")


def test_parameters_are_not_in_the_log_of_a_worker(requests, log):
    told = answer(requests.run.delay("Fails", kind="refuse", token="t0p-s3cret"))
    assert told["code"] == "invalid-parameters"
    assert "t0p-s3cret" not in log.read_text()


def test_only_json_is_accepted(settings, log, requests, wait_for):
    with Connection(settings.broker_url) as connection:
        producer = connection.Producer(serializer="pickle")
        headers = {"task": "Micro.plugins", "id": "pickled-task", "lang": "py"}
        producer.publish(((), {}, {}), routing_key=settings.task_queues[0], headers=headers)
    wait_for(lambda: "Refusing to deserialize" in log.read_text())
    assert answer(requests.run.delay("Echo", still="here")) == {"still": "here"}


def test_a_worker_can_be_inspected(log, settings, requests):
    inspect = requests.run.app.control.inspect(timeout=5, limit=1)
    [tasks] = inspect.registered().values()
    assert {"Micro.plugins", "Micro.info", "Micro.help", "Micro.run"} <= set(tasks)
