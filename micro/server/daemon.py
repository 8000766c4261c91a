"""Runs the service as a daemon: in a background process that outlives its terminal."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from micro.errors import EXIT_FAILED, MicroError, one_line

Tell = Callable[[str], None]


class DaemonFailed(MicroError):
    """The daemon did not start. The message and the exit code come from the daemon."""

    code = "daemon-failed"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_detached(work: Callable[[Tell], int]) -> str:
    """Call ``work`` in a forked daemon process, and return the text that it reports once it is ready.

    ``work`` gets the function to report with, and returns the exit code. The daemon leads its own session
    and has no terminal; this process may exit afterwards. Raises DaemonFailed with the message and exit code
    of ``work`` if it ends before it is ready. Ctrl-C before that also stops the daemon.
    """
    reader, writer = os.pipe()
    # Block SIGINT around the fork: a Ctrl-C just now would end this process and leave the daemon running.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    pid = os.fork()
    if not pid:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.close(reader)
        _run(work, writer)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.close(writer)
        with os.fdopen(reader) as pipe:
            line = pipe.readline()
    except KeyboardInterrupt:
        # The terminal does not send Ctrl-C to the daemon, as that is in another session: stop it here.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        raise
    if not line:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        reason = f"status {status}" if status >= 0 else f"signal {-status}"
        raise DaemonFailed(f"Micro ended with {reason} before it was ready; see its log.", EXIT_FAILED)
    told = json.loads(line)
    if "error" in told:
        os.waitpid(pid, 0)
        raise DaemonFailed(told["error"], told["exit_code"])
    ready: str = told["ready"]
    return ready


def _run(work: Callable[[Tell], int], writer: int) -> NoReturn:
    """Run ``work`` as the daemon process, report how it went, and exit."""
    code = EXIT_FAILED
    try:
        _leave_terminal()
        code = work(lambda text: _write(writer, {"ready": text}))
        # The parent reads this only if ``work`` was stopped before it was ready; it reads one line.
        _write(writer, {"error": "Micro was stopped before it was ready.", "exit_code": code or EXIT_FAILED})
    except MicroError as err:
        code = err.exit_code
        _write(writer, {"error": err.message, "exit_code": code})
    # Report any exception to the parent: the daemon has no terminal to print a traceback on.
    except BaseException as err:
        _write(writer, {"error": f"Micro failed: {one_line(err)}", "exit_code": code})
    finally:
        os._exit(code)


def _leave_terminal() -> None:
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.close(nothing)


def _write(writer: int, told: dict[str, object]) -> None:
    try:
        os.write(writer, f"{json.dumps(told)}\n".encode())
    except BrokenPipeError:
        return
