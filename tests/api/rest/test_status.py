from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from micro.api.rest import create_app
from micro.server.status_writer import StatusWriter
from micro.server.supervisor.managed_process import ProcessState, Status
from micro.service import Micro

MakeMicro = Callable[..., Micro]
NOWHERE = "amqp://guest:secret@127.0.0.1:1//"


def test_it_tells_of_the_plugins_that_were_left_out_and_why(load: MakeMicro) -> None:
    micro = load({"bad/interface.py": "raise RuntimeError('no licence')"})
    answer = create_app(micro=micro).test_client().get("/status")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    (failed,) = answer.get_json()["plugins"]["failed"]
    assert failed["name"] == "bad" and "no licence" in failed["cause"]


def test_a_service_without_a_broker_has_no_queues_and_no_jobs(load: MakeMicro) -> None:
    told = create_app(micro=load({})).test_client().get("/status").get_json()
    assert (told["queues"], told["jobs"], told["processes"]) == (None, None, [])


def test_a_broker_that_does_not_answer_leaves_the_rest_to_be_told(load: MakeMicro, tmp_path: Path) -> None:
    micro = load({}, broker_url=NOWHERE, jobs_url=f"sqlite:///{tmp_path}/jobs.sqlite")
    told = create_app(micro=micro).test_client().get("/status").get_json()
    assert told["queues"] is None
    assert told["jobs"] == {"queued": 0, "running": 0}


def test_the_processes_are_those_of_the_supervisor(load: MakeMicro, tmp_path: Path) -> None:
    micro = load({})
    micro.settings = replace(micro.settings, pid_folder_path=tmp_path)
    StatusWriter(micro.settings, print).update([Status("rest", 42, ProcessState.UP, 0, 1.5)])
    told = create_app(micro=micro).test_client().get("/status").get_json()
    assert [each["name"] for each in told["processes"]] == ["rest"]
