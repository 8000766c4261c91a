"""The disk of the log and the PID folder is full, or read-only from some moment on: Micro serves on.

It says so, too.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

# A file system of its own, which no one else sees.
MOUNT = 'mount -t tmpfs -o size=1m none "$0" && mkdir "$0/logs" "$0/pids" && exec "$@"'


class Disk:
    """A small file system that the test's Micro alone has; it is reached through that."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self._path = path
        self.before = ["unshare", "--mount", "sh", "-c", MOUNT, str(path)]
        self.variables = {
            "MICRO_LOG_FOLDER_PATH": str(path / "logs"),
            "MICRO_PID_FOLDER_PATH": str(path / "pids"),
        }

    def seen_by(self, micro: Any) -> Path:
        return Path(f"/proc/{micro.process.pid}/root{self._path}")

    def fill(self, micro: Any) -> None:
        place = self.seen_by(micro)
        # What the log has begun of a block is room for it, too.
        for path, block in ((place / "filler", b"0" * 4096), (place / "logs" / "micro.log", b"\n")):
            with suppress(OSError), path.open("ab", buffering=0) as file:
                while file.write(block):
                    pass

    def free(self, micro: Any) -> None:
        (self.seen_by(micro) / "filler").unlink()

    def make_read_only(self, micro: Any) -> None:
        # A file system with files that are open for writing cannot be made so, but a view of it can.
        self._mount(micro, 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"')

    def make_writable(self, micro: Any) -> None:
        self._mount(micro, 'umount "$0"')

    def inside(self, micro: Any) -> list[str]:
        return ["nsenter", "--mount", "--target", str(micro.process.pid)]

    def _mount(self, micro: Any, script: str) -> None:
        subprocess.run([*self.inside(micro), "sh", "-c", script, str(self._path)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "disk")
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("nsenter")):
        pytest.skip("only root mounts, with unshare(1) and nsenter(1)")
    tried = subprocess.run([*disk.before, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this system does not let root mount: {tried.stderr.strip()}")
    return disk


def reload(micro: Any) -> None:
    micro.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_disk_that_takes_no_more_does_not_stop_the_service(
    start_micro: Callable[..., Any], wait_for: Callable[..., Any], disk: Disk, good_plugins: str, kind: str
) -> None:
    micro = start_micro("-G", "-p", good_plugins, before=disk.before, **disk.variables)
    before = micro.call("/run/twin-one", {})
    if kind == "full":
        disk.fill(micro)
        cause = "No space left on device"
    else:
        disk.make_read_only(micro)
        # What is open stays so, until it is opened anew.
        micro.process.send_signal(signal.SIGUSR1)
        cause = "Read-only file system"

    # No new process can tell that it is up, so none takes over.
    reload(micro)
    wait_for(lambda: "Reload failed: generation 1 goes on serving" in micro.output(), seconds=30)
    log = disk.seen_by(micro) / "logs" / "micro.log"
    assert f"log' cannot be written ({cause}); serving goes on" in micro.output()
    assert f"micro.status' cannot be written ({cause}); serving goes on" in micro.output()
    assert micro.call("/run/twin-one", {}) == before
    assert micro.call("/readyz")["status"] == "ready"

    if kind == "full":
        disk.free(micro)
    else:
        disk.make_writable(micro)
    reload(micro)
    wait_for(lambda: "Reloaded: generation " in micro.output(), seconds=30)
    assert "micro.log' can be written again" in micro.output()
    assert "Reloaded: generation " in log.read_text()
    assert micro.call("/run/twin-one", {}) == before
    assert micro.stop() == 0


def test_a_worker_that_dies_on_a_full_disk_is_followed_by_another(
    start_micro: Callable[..., Any], wait_for: Callable[..., Any], disk: Disk, good_plugins: str
) -> None:
    micro = start_micro("-G", "-p", good_plugins, "-gw", "1", before=disk.before, **disk.variables)
    before = micro.call("/run/twin-one", {})
    rest = int((disk.seen_by(micro) / "pids" / "rest.pid").read_text())
    (worker,) = micro.children(rest)
    disk.fill(micro)
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: micro.children(rest) - {worker}, seconds=30)
    assert micro.call("/run/twin-one", {}) == before
    wait_for(lambda: "Runs of this process are not counted" in micro.output())
    assert micro.stop() == 0


def test_who_asks_for_a_reload_is_told_that_the_disk_takes_no_more(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any], disk: Disk, good_plugins: str
) -> None:
    micro = start_micro("-G", "-p", good_plugins, before=disk.before, **disk.variables)
    command = ("reload", "-pp", disk.variables["MICRO_PID_FOLDER_PATH"])
    disk.fill(micro)
    asked = run_micro(*command, before=disk.inside(micro))
    assert asked.returncode == 1
    assert "its outcome could not be written; the log has it" in asked.stderr
    disk.free(micro)
    disk.make_read_only(micro)
    asked = run_micro(*command, before=disk.inside(micro))
    assert asked.returncode == 2
    assert "expected a folder that can be written" in asked.stderr


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_service_whose_disk_takes_no_more_stops_in_order(
    start_micro: Callable[..., Any], disk: Disk, good_plugins: str, kind: str
) -> None:
    micro = start_micro("-G", "-p", good_plugins, before=disk.before, **disk.variables)
    if kind == "full":
        disk.fill(micro)
    else:
        disk.make_read_only(micro)
    assert micro.stop() == 0
    assert "Traceback" not in micro.output()
