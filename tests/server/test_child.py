from __future__ import annotations

import json
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from micro.config.loading import load_settings, restore_settings
from micro.config.settings import Settings
from micro.errors import BrokerUnreachable
from micro.runtime.ready_files import generations, read_ready, tell_ready
from micro.runtime.settings_file import settings_file, write_settings
from micro.server.child import REASON, Role, forget, reason_in, run_child
from micro.server.reload import validate


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(
        {"pid_folder_path": str(tmp_path), "broker_url": "amqp://u:sesame@host//"}, environ={}
    )


@pytest.fixture
def _root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("_root_logger")
def test_the_settings_reach_the_child_in_a_file_of_the_owners_alone(settings: Settings) -> None:
    settings_file(settings).write_text("left by another")
    write_settings(settings)
    assert stat.S_IMODE(settings_file(settings).stat().st_mode) == 0o600
    seen: list[object] = []

    def main(*given: object) -> int:
        seen.extend(given)
        return 7

    assert run_child(main, [str(settings_file(settings)), "worker1"]) == 7
    role = Role("rest", 2, "fd://5")
    assert run_child(main, [str(settings_file(settings)), *role.arguments]) == 7
    assert seen == [settings, Role("worker1", 1), settings, role]


@pytest.mark.usefixtures("_root_logger")
def test_the_reason_of_a_child_is_its_last_line_and_its_exit_code(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(settings)

    def main(settings: Settings, role: Role) -> int:
        raise BrokerUnreachable(f"no broker for {role.name}")

    assert run_child(main, [str(settings_file(settings)), "worker1"]) == 3
    told = capsys.readouterr().err.splitlines()
    assert reason_in([*told, "something said later"]) == "no broker for worker1"


def test_there_may_be_no_reason() -> None:
    assert reason_in([]) == ""
    assert reason_in(["Traceback", f"ValueError: {REASON}no"]) == ""


def test_the_ready_file_carries_facts_from_child_to_supervisor(settings: Settings) -> None:
    assert read_ready(settings, "rest") is None
    tell_ready(settings, "rest", 12, addresses=["here"])
    tell_ready(settings, "rest", 13, addresses=["there"])
    assert read_ready(settings, "rest") == {"pid": 13, "generation": 1, "addresses": ["there"]}
    assert (settings.pid_folder_path / "rest.pid").read_text() == "13\n"
    assert {path.name for path in settings.pid_folder_path.iterdir()} == {"rest.ready", "rest.pid"}
    # The causes in it why plugins were left out are not for everyone.
    assert not (settings.pid_folder_path / "rest.ready").stat().st_mode & stat.S_IRWXO


def test_a_process_that_was_followed_by_another_keeps_silent(settings: Settings) -> None:
    settings = replace(settings, gunicorn=True, celery=True, celery_workers=2)
    tell_ready(settings, "rest", 13, generation=2)
    tell_ready(settings, "rest", 12, generation=1)
    tell_ready(settings, "worker1", 14, generation=1)
    assert (read_ready(settings, "rest") or {})["pid"] == 13
    assert generations(settings) == {"rest": 2, "worker1": 1}


def test_what_children_left_is_forgotten(settings: Settings) -> None:
    write_settings(settings)
    tell_ready(settings, "rest", os.getpid())
    (settings.pid_folder_path / "rest.pid").touch()
    (settings.pid_folder_path / "micro.pid").touch()
    forget(settings, ["rest", "worker1"])
    assert [path.name for path in settings.pid_folder_path.iterdir()] == ["micro.pid"]


@pytest.mark.usefixtures("_root_logger")
def test_plugins_are_not_tried_by_another_version_than_the_one_that_runs(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(settings)
    file = settings_file(settings)
    content = json.loads(file.read_text())
    del content["values"]["reload"]
    file.write_text(json.dumps({**content, "version": "4.0.0a1"}))
    # Other commands go on working, as `micro stop` has to.
    assert restore_settings(file.read_text()).reload == "watch"
    assert run_child(validate.main, [str(file), "trial", "2"]) == 2
    assert "Error: Micro 4.0.0a1 runs, but Micro " in capsys.readouterr().err
