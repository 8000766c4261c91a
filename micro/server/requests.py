"""Asks a running Micro to reload, and tells who asked what came of it, by files in the PID folder."""

from __future__ import annotations

import json
import os
import signal
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from micro.errors import MicroError
from micro.ready import NotTold, cannot_be_written
from micro.runtime.files import is_alive, remove, write_whole
from micro.server.running import Running
from micro.settings import Settings

_ASKED, _ANSWERED = ".asked", ".answered"
_LOOK_SECONDS = 0.1


class NoAnswer(MicroError):
    """Micro ended, or took too long, before it told what came of a reload."""

    code = "no-answer"


@dataclass(frozen=True)
class Outcome:
    """What came of a reload: the generation that serves now, and if it was refused, why and through whom.

    ``faults`` have ``name``, ``origin`` and ``cause``.
    """

    generation: int
    plugins: int = 0
    failure: str = ""
    faults: Sequence[Mapping[str, Any]] = ()


def ask(running: Running, token: str | None = None) -> str:
    """Ask for a reload; return the token under which the outcome is told. Raises NotTold."""
    token = token or uuid.uuid4().hex
    # The file tells it from the SIGHUP of a terminal that closes.
    try:
        _file(running.settings, token, _ASKED).touch()
    except OSError as err:
        raise NotTold(f"No reload can be asked for: {cannot_be_written(running.settings, err)}.") from err
    os.kill(running.pid, signal.SIGHUP)
    return token


def wait(running: Running, token: str, seconds: float) -> Outcome:
    """Wait for what comes of the reload; raise NoAnswer."""
    deadline = time.monotonic() + seconds
    path = _file(running.settings, token, _ANSWERED)
    while not path.exists():
        if not is_alive(running.pid):
            raise NoAnswer(f"Micro (process {running.pid}) ended before it had reloaded.")
        if time.monotonic() > deadline:
            raise NoAnswer(
                f"The reload is not over after {seconds:g} s; it goes on, and the log tells its end."
            )
        time.sleep(_LOOK_SECONDS)
    told = path.read_text()
    path.unlink()
    if not told:
        raise NoAnswer(
            "The reload is over, but the disk had no room for what came of it; the log tells that."
        )
    return Outcome(**json.loads(told))


def take(settings: Settings) -> list[str]:
    """Return the tokens under which a reload has been asked for since the last time."""
    asked = sorted(settings.pid_folder_path.glob(f"reload-*{_ASKED}"))
    for path in asked:
        remove(path)
    return [path.name.removeprefix("reload-").removesuffix(_ASKED) for path in asked]


def answer(settings: Settings, tokens: Iterable[str], outcome: Outcome) -> None:
    """Tell those who asked under these tokens."""
    for token in tokens:
        path = _file(settings, token, _ANSWERED)
        try:
            write_whole(path, json.dumps(asdict(outcome)))
        except OSError:
            # An empty file needs no room, so that whoever asked need not wait.
            with suppress(OSError):
                path.touch()


def forget(settings: Settings) -> None:
    """Remove what was asked and answered."""
    for path in settings.pid_folder_path.glob("reload-*"):
        remove(path)


def _file(settings: Settings, token: str, kind: str) -> Path:
    return settings.pid_folder_path / f"reload-{token}{kind}"
