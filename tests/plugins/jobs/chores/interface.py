"""Plugins whose runs last, report, fail, stop or die as the tests of jobs want it."""

import os
import signal
import time
from pathlib import Path

from pydantic import SecretStr

from micro import PluginBase, PluginDescription, PluginError, hookimpl

LONGEST = 20


def note(folder, word):
    """Leave a file behind that says so, once for each call."""
    (Path(folder) / f"{word}-{time.time_ns()}-{os.getpid()}").touch()


class Add(PluginBase):
    def run(self, a: int, b: int) -> dict[str, int]:
        return {"sum": a + b}


class Steps(PluginBase):
    """Reports on its way."""

    def run(self, count: int) -> dict[str, int]:
        for number in self.track(range(count), message="counting"):
            self.log.info("step %d", number)
        return {"steps": count}


class Patient(PluginBase):
    """Goes on until it is asked to stop, or let go."""

    def run(self, folder: str) -> dict[str, bool]:
        note(folder, "started")
        deadline = time.monotonic() + LONGEST
        while not self.cancelled and not (Path(folder) / "open").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        note(folder, "ended")
        return {"cancelled": self.cancelled}


class Engrossed(PluginBase):
    """Lets nothing else of its process run."""

    def run(self, folder: str) -> dict[str, int]:
        note(folder, "started")
        return {"sum": sum(range(10**13))}


class Stubborn(PluginBase):
    """Does not listen, whatever is asked or raised."""

    def run(self, folder: str) -> dict[str, str]:
        note(folder, "started")
        deadline = time.monotonic() + LONGEST
        while not (Path(folder) / "open").exists() and time.monotonic() < deadline:
            try:
                time.sleep(0.02)
            except Exception:
                note(folder, "interrupted")
        note(folder, "ended")
        return {}


class Sleepy(PluginBase):
    """Would sleep longer than it may."""

    def run(self, wrapped: bool = False) -> dict[str, str]:
        try:
            time.sleep(LONGEST)
        except Exception as err:
            if wrapped:
                raise RuntimeError("woken") from err
            raise
        return {}


class Flaky(PluginBase):
    """Fails until it has failed often enough."""

    def run(self, folder: str, failures: int, kind: str = "ConnectionError") -> dict[str, int]:
        note(folder, "started")
        started = len([*Path(folder).glob("started-*")])
        if started <= failures:
            raise {"ConnectionError": ConnectionError, "ValueError": ValueError}[kind]("out of order")
        return {"attempts": started}


class Refuses(PluginBase):
    def run(self, status: int = 409) -> dict[str, str]:
        raise PluginError("sold out", status=status, code="sold-out")


class Breaks(PluginBase):
    def run(self) -> dict[str, str]:
        return {}["nothing"]


class Keeper(PluginBase):
    def run(self, password: SecretStr, user: str = "ada") -> dict[str, int]:
        self.log.warning("the password has %d characters", len(password.get_secret_value()))
        return {"length": len(password.get_secret_value())}


class Dies(PluginBase):
    """Takes its process with it."""

    def run(self, folder: str) -> dict[str, str]:
        note(folder, "started")
        os.kill(os.getpid(), signal.SIGKILL)
        return {}


@hookimpl
def micro_plugins():
    return [
        PluginDescription(Add, "Add"),
        PluginDescription(Steps, "Steps"),
        PluginDescription(Patient, "Patient"),
        PluginDescription(Stubborn, "Stubborn"),
        PluginDescription(Stubborn, "Stubborn and bounded", timeout=0.3),
        PluginDescription(Engrossed, "Engrossed", timeout=0.3),
        PluginDescription(Sleepy, "Sleepy", timeout=0.3),
        PluginDescription(Flaky, "Flaky", retries=2, retry_on=[ConnectionError]),
        PluginDescription(Refuses, "Refuses"),
        PluginDescription(Breaks, "Breaks"),
        PluginDescription(Keeper, "Keeper"),
        PluginDescription(Dies, "Dies"),
        PluginDescription(Add, "Add elsewhere", queue="elsewhere"),
    ]
