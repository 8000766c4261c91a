"""Requests for a reload, and the answers to them, as files in the PID folder."""

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

from micro.config.settings import Settings
from micro.errors import MicroError
from micro.runtime.discovery import Running
from micro.runtime.files import is_alive, remove, write_whole
from micro.runtime.ready_files import NotTold, cannot_be_written

_ASKED, _ANSWERED = ".asked", ".answered"
_LOOK_SECONDS = 0.1


class NoReloadAnswer(MicroError):
    """Micro ended, or took too long, before it reported the outcome of a reload."""

    code = "no-answer"


@dataclass(frozen=True)
class ReloadOutcome:
    """The outcome of a reload: ``generation`` is the one that serves now, with this number of ``plugins``.

    If the reload failed, ``failure`` is the reason, and ``faults`` are the plugins at fault: mappings with
    ``name``, ``origin`` and ``cause``.
    """

    generation: int
    plugins: int = 0
    failure: str = ""
    faults: Sequence[Mapping[str, Any]] = ()


def ask(running: Running, token: str | None = None) -> str:
    """Request a reload; return the token to wait with. Raises NotTold if the request cannot be written."""
    token = token or uuid.uuid4().hex
    # The file distinguishes this SIGHUP from that of a terminal that closes.
    try:
        _file(running.settings, token, _ASKED).touch()
    except OSError as err:
        raise NotTold(f"No reload can be asked for: {cannot_be_written(running.settings, err)}.") from err
    os.kill(running.pid, signal.SIGHUP)
    return token


def wait(running: Running, token: str, seconds: float) -> ReloadOutcome:
    """Wait up to ``seconds`` for the outcome of a reload.

    Raises NoAnswer if there is none in time, Micro has ended, or the outcome could not be written.
    """
    deadline = time.monotonic() + seconds
    path = _file(running.settings, token, _ANSWERED)
    while not path.exists():
        if not is_alive(running.pid):
            raise NoReloadAnswer(f"Micro (process {running.pid}) ended before it had reloaded.")
        if time.monotonic() > deadline:
            raise NoReloadAnswer(f"The reload has not finished after {seconds:g} s; it goes on; see the log.")
        time.sleep(_LOOK_SECONDS)
    told = path.read_text()
    path.unlink()
    if not told:
        raise NoReloadAnswer("The reload has finished, but its outcome could not be written; the log has it.")
    return ReloadOutcome(**json.loads(told))


def take(settings: Settings) -> list[str]:
    """Remove the requests for a reload that have arrived, and return their tokens."""
    asked = sorted(settings.pid_folder_path.glob(f"reload-*{_ASKED}"))
    for path in asked:
        remove(path)
    return [path.name.removeprefix("reload-").removesuffix(_ASKED) for path in asked]


def answer(settings: Settings, tokens: Iterable[str], outcome: ReloadOutcome) -> None:
    """Write the outcome of a reload for each of these tokens."""
    for token in tokens:
        path = _file(settings, token, _ANSWERED)
        try:
            write_whole(path, json.dumps(asdict(outcome)))
        except OSError:
            # An empty file fits on a full disk, and ends the wait of the command that asked.
            with suppress(OSError):
                path.touch()


def forget(settings: Settings) -> None:
    """Remove all requests and answers."""
    for path in settings.pid_folder_path.glob("reload-*"):
        remove(path)


def _file(settings: Settings, token: str, kind: str) -> Path:
    return settings.pid_folder_path / f"reload-{token}{kind}"
