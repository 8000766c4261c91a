"""Runs the service in a process of its own that outlives the terminal it was started from."""

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
    """What was to run in the background did not start; the sentence and the exit code are its own."""

    code = "daemon-failed"

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def run_detached(work: Callable[[Tell], int]) -> str:
    """Call ``work`` in a new process, and return what it tells, once, when it is ready.

    The process leads a session of its own and has no terminal; this one is free to end. Raises
    DaemonFailed with the sentence and the exit code of a ``work`` that ended before. Ctrl-C until then
    stops ``work``.
    """
    reader, writer = os.pipe()
    # Or one that comes just now would leave the new process alone.
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
        # Ctrl-C does not reach a session of its own, and nobody wants what was called off.
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
    """Be the new process, to its end."""
    code = EXIT_FAILED
    try:
        _leave_terminal()
        code = work(lambda text: _write(writer, {"ready": text}))
        # Asked to stop before it was ready. Once that was told nobody reads any more.
        _write(writer, {"error": "Micro was stopped before it was ready.", "exit_code": code or EXIT_FAILED})
    except MicroError as err:
        code = err.exit_code
        _write(writer, {"error": err.message, "exit_code": code})
    # Whatever it is, there is no terminal to print it on.
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
