"""What processes that a run forks make of signals, with real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.measured

PROGRAM = """
import multiprocessing, os, signal, socket, threading, time
from micro.server.supervisor.signals import keep_from_children

def own(*_): pass
def of_plugin(*_): os._exit(7)

ear, bell = socket.socketpair()
bell.setblocking(False)
ear.setblocking(False)
signal.set_wakeup_fd(bell.fileno())
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
    signal.signal(number, own)
signal.signal(signal.SIGQUIT, signal.SIG_IGN)
keep_from_children((signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGQUIT))
signal.signal(signal.SIGUSR1, of_plugin)

def wait(tell):
    try:
        os.kill(os.getpid(), signal.SIGQUIT)
        os.write(tell, b"1")
        # A signal that comes just before a long sleep would be seen after it.
        for _ in range(6000):
            time.sleep(0.01)
    except KeyboardInterrupt:
        raise SystemExit(3)

def end_of(number, is_ready=False):
    ready, tell = os.pipe()
    child = multiprocessing.get_context("fork").Process(target=wait, args=[tell])
    child.start()
    if is_ready:
        os.read(ready, 1)
    # In a child that a thread forked, Python 3.13.0 handles a signal only if it comes during a system call.
    for _ in range(10 if is_ready else 1):
        os.kill(child.pid, number)
        child.join(2 if is_ready else 20)
        if child.exitcode is not None:
            break
    return child.exitcode

def work():
    print({end_of(signal.SIGTERM) for _ in range(50)}, end_of(signal.SIGUSR1, is_ready=True), flush=True)

thread = threading.Thread(target=work)
thread.start()
thread.join()
print(end_of(signal.SIGINT, is_ready=True))
try:
    print(ear.recv(100))
except BlockingIOError:
    print("no bell")
os.kill(os.getpid(), signal.SIGTERM)
print(list(ear.recv(100)), signal.getsignal(signal.SIGTERM) is own)
print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_a_forked_process_ends_at_a_signal_that_its_server_handles_and_keeps_what_a_plugin_handles() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == ["{-15} 7", "3", "no bell", "[15] True", "set()"], done.stderr
