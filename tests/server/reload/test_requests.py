"""A reload is asked for and its outcome told."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.config.settings import Settings
from micro.runtime.discovery import Running
from micro.runtime.ready_files import NotTold, tell_ready
from micro.server.reload import requests
from micro.server.reload.requests import NoReloadAnswer, ReloadOutcome


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"pid_folder_path": str(tmp_path)}, environ={})


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    with subprocess.Popen(["sh", "-c", "trap : HUP; while :; do sleep 0.1; done"]) as process:
        yield Running(process.pid, settings)
        process.kill()


def test_who_asks_is_told(running: Running, settings: Settings) -> None:
    tokens = [requests.ask(running), requests.ask(running, "watcher")]
    assert sorted(requests.take(settings)) == sorted(tokens)
    assert requests.take(settings) == []
    fault = {"name": "one", "origin": "here", "cause": "that"}
    requests.answer(settings, tokens, ReloadOutcome(3, 0, "it is broken", [fault]))
    assert requests.wait(running, tokens[0], 5) == ReloadOutcome(3, 0, "it is broken", [fault])
    requests.forget(settings)
    assert list(settings.pid_folder_path.iterdir()) == []


def test_an_answer_that_takes_too_long_is_not_waited_for(running: Running) -> None:
    with pytest.raises(NoReloadAnswer, match=r"has not finished after 0\.1 s; it goes on"):
        requests.wait(running, "token", 0.1)


def test_of_one_that_has_ended_no_answer_is_awaited(running: Running) -> None:
    os.kill(running.pid, signal.SIGKILL)
    with pytest.raises(NoReloadAnswer, match=r"ended before it had reloaded"):
        requests.wait(running, "token", 20)


def test_an_answer_without_room_on_the_disk_is_awaited_no_longer(
    running: Running, settings: Settings
) -> None:
    # What is left of one, as an empty file needs no room.
    (settings.pid_folder_path / "reload-token.answered").touch()
    with pytest.raises(NoReloadAnswer, match=r"its outcome could not be written"):
        requests.wait(running, "token", 20)


def test_a_folder_that_cannot_be_written_is_told_and_does_no_harm(
    running: Running, settings: Settings
) -> None:
    settings.pid_folder_path.rmdir()
    with pytest.raises(NotTold, match=r"cannot be written \(No such file or directory\)"):
        requests.ask(running)
    assert requests.take(settings) == []
    requests.answer(settings, ["token"], ReloadOutcome(1))
    with pytest.raises(NotTold, match=r"rest cannot tell that it is up: the folder "):
        tell_ready(settings, "rest", 42)
