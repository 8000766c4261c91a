"""One Celery worker node."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from billiard import pool, process
from billiard.exceptions import WorkerLostError
from celery import Celery, signals
from celery.apps.worker import Worker, install_worker_term_handler
from celery.bootsteps import RUN
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.utils.nodenames import host_format
from celery.worker import state
from kombu.transport import resolve_transport

from micro.api.tasks import create_celery
from micro.errors import BrokerUnreachable, ConfigError
from micro.jobs.queue import publish, queues_for, trust_broker
from micro.jobs.service import open_store
from micro.jobs.upkeeper import Upkeeper
from micro.ready import generations, tell_left, tell_ready
from micro.secrets import masked_urls
from micro.server.child import Role
from micro.server.exporter import Exporter, open_exporter
from micro.server.facts import load
from micro.server.leave import Leave
from micro.server.logs import configure_logging
from micro.server.signals import keep_from_children
from micro.service import Micro
from micro.settings import DEFAULT, Settings

log = logging.getLogger(__name__)

NEEDED = (
    "celery.backends.rpc",
    "celery.concurrency.asynpool",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "celery.worker.control",
    "celery.worker.strategy",
)
# In tenths of a second. So long a process of the pool that stops waits until the node has heard all that it
# said, which is at once but for the run of a message that was on its way to it when the broker went: of that
# the node hears no more. The 30 s of billiard are longer than a stop may take.
pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20
# The node that serves the metrics, which are those of all processes of its machine.
FIRST_NODE = "worker1"
_CONNECT_SECONDS = 3
# So soon a node begins to stop, unless it waits for an answer of the broker.
_ANSWER_SECONDS = 2.0
_PAUSE_SECONDS = 0.2


class Node(Worker):  # type: ignore[misc]
    """A Celery worker that leaves it to the supervisor to say that it stops, and stops within a time."""

    stop_timeout = 0.0
    bell: socket.socket | None = None
    followed: Callable[[], bool]
    left: Callable[[], None]

    def install_platform_tweaks(self, worker: Worker) -> None:
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, callback=_limit_stop, verbose=False)


def _limit_stop(node: Node) -> None:
    """Let running work end within the node's time; what does not is ended then.

    Celery's own soft shutdown would sleep through all of that time, and let plugins catch the end of their
    run. One whose process is killed goes back to the broker at once, if it is a Celery client's, while
    that of a node that is killed waits for the visibility timeout of Redis.
    """
    deadline = time.monotonic() + node.stop_timeout

    def look(*_: object) -> None:
        if node.blueprint.state == RUN:
            _cut_off_broker(node)
        if node.followed():
            # A node with newer plugins works in its place, and this one has the time that its runs take.
            return
        left = deadline - time.monotonic()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            _end_runs(node.stop_timeout)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, min(node.stop_timeout, _ANSWER_SECONDS))
    if node.bell:
        # The node's loop would look whether it is to stop when it has waited for something else, or a second.
        with suppress(OSError):
            node.bell.send(b"\0")


def _cut_off_broker(node: Node) -> None:
    """End the wait for an answer that does not come, such as of a RabbitMQ that restores its queues."""
    connection = node.consumer and node.consumer.connection
    # Others than RabbitMQ's have no such socket, and no such waits.
    with suppress(AttributeError, OSError):
        if connection and connection.connected:
            connection.connection.sock.shutdown(socket.SHUT_RDWR)


def _end_runs(seconds: float) -> None:
    # Other pools than that of processes name the node itself.
    pids = {each.worker_pid for each in state.active_requests} - {None, os.getpid()}
    for pid in pids:
        log.warning("Process %d is killed: its run has not ended in the %g s of a stop", pid, seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def main(settings: Settings, role: Role) -> int:
    """Work until told to stop; return the exit code."""
    micro, facts = load(settings, role)
    app = create_celery(micro=micro)
    check_broker(app)
    # The supervisor has warned of root, once for all.
    warnings.simplefilter("ignore", SecurityWarning)
    _connect_signals(app, micro, role, facts)
    exporter = open_exporter(micro) if role.name == FIRST_NODE else None
    _connect_threads(app, micro, exporter)
    app.steps["worker"].add(Leave)
    worker = Node(
        app=app,
        hostname=node_name(settings, role),
        queues=_queues(app, micro),
        loglevel=settings.log_level,
        quiet=True,
        # What nodes tell each other serves nothing here, and waiting for it costs a second at each start.
        without_mingle=True,
        without_gossip=True,
    )
    worker.stop_timeout = settings.stop_timeout
    worker.followed = partial(_is_followed, settings, role)
    worker.left = partial(_leave, settings, role, exporter)
    # Of defaults in Celery 6; it has just turned them on.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    worker.start()
    return int(worker.exitcode or 0)


def node_name(settings: Settings, role: Role) -> str:
    """Name the node: worker1@host, and after a reload, as the old one may still be there, worker1-2@host."""
    later = f"-{role.generation}" if role.generation > 1 else ""
    named: str = host_format(f"{role.name}{later}@{settings.hostname}")
    return named


def _queues(app: Celery, micro: Micro) -> list[str]:
    """Name the queues to read: those of the settings or, if nobody named any, also the plugins' own."""
    names = dict.fromkeys(micro.settings.task_queues)
    if micro.settings.source("task_queues") == DEFAULT:
        names |= dict.fromkeys(each.description.queue for each in micro.loaded if each.description.queue)
    return [app.amqp.queues.add(queue).name for queue in queues_for(names)]


def check_broker(app: Celery) -> None:
    """Raise BrokerUnreachable when the broker does not answer within seconds."""
    url = masked_urls(app.conf.broker_url)
    try:
        with app.connection_for_write(connect_timeout=_CONNECT_SECONDS) as connection:
            connection.ensure_connection(
                timeout=_CONNECT_SECONDS, interval_start=_PAUSE_SECONDS, interval_max=_PAUSE_SECONDS
            )
    except (ValueError, KeyError, ImportError) as err:
        cause = masked_urls(str(err.args[0] if err.args else err))
        raise ConfigError(
            f"Setting 'broker_url': {url} cannot be used ({cause}); expected a URL such as"
            " amqp://guest:guest@localhost// or redis://localhost."
        ) from err
    except Exception as err:
        # Each transport raises errors of its own kinds.
        cause = masked_urls(str(err)).rstrip(".")
        raise BrokerUnreachable(
            f"The broker {url} cannot be used ({cause}); is it running, and is the URL right?"
        ) from err


def _leave(settings: Settings, role: Role, exporter: Exporter | None) -> None:
    if _is_followed(settings, role):
        if exporter:
            exporter.stop()
        tell_left(settings, role.name, os.getpid())


def _is_followed(settings: Settings, role: Role) -> bool:
    return generations(settings).get(role.name, 0) > role.generation


def _connect_threads(app: Celery, micro: Micro, exporter: Exporter | None) -> None:
    """Let the node's own process keep the job table in order and serve the metrics."""
    owner = f"{socket.gethostname()}/{os.getpid()}"
    store = open_store(micro.settings)
    upkeeper = Upkeeper(store, micro.settings.jobs_keep, owner, partial(publish, app))

    def start(**_: Any) -> None:
        upkeeper.start()
        if exporter:
            exporter.start()

    def stop(**_: Any) -> None:
        if exporter:
            exporter.stop()
        upkeeper.stop()

    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)


def _connect_signals(app: Celery, micro: Micro, role: Role, facts: dict[str, Any]) -> None:
    settings = micro.settings

    def set_up_logging(**_: Any) -> None:
        configure_logging(settings.log_level, settings.log_format, role.name)
        logging.getLogger("celery.worker.request").addFilter(_without_own_traceback)

    def ready(sender: Any, **_: Any) -> None:
        # Some pools have no processes of their own, and runs fork the node itself.
        keep_from_children((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP))
        tell_ready(settings, role.name, sender.pid, role.generation, **facts)

    def start(**_: Any) -> None:
        trust_broker(app, settings)
        signals.task_prerun.connect(_end_at_sigterm)
        # A run may start processes, as it may in the REST server; `multiprocessing` refuses that to a daemon.
        process.current_process()._config["daemon"] = False
        micro.start()

    def stop(**_: Any) -> None:
        micro.stop()

    def end(exitcode: int = 0, **_: Any) -> None:
        micro.stop()
        # Where nobody else wants to know, the process has nothing left to do but to sleep a second and then
        # end like this, as billiard lets it.
        if signals.worker_process_shutdown.receivers[-1][1] is end:
            os._exit(exitcode)

    # weak=False: the handlers are local and would be gone at once.
    signals.setup_logging.connect(set_up_logging, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    signals.worker_process_init.connect(start, weak=False)
    signals.worker_process_shutdown.connect(end, weak=False)
    # For pools without processes of their own; elsewhere it finds nothing to stop.
    signals.worker_shutdown.connect(stop, weak=False)


def _end_at_sigterm(**_: Any) -> None:
    """Let SIGTERM end a process of the pool; billiard would have it look as if the plugin wanted to exit."""
    # Before the first task, and not as the process begins: billiard comes after that.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.task_prerun.disconnect(_end_at_sigterm)


def _without_own_traceback(record: logging.LogRecord) -> bool:
    """Take from the news that a process of the pool was lost a traceback that shows none of its frames."""
    error = record.exc_info and record.exc_info[1]
    # billiard wraps it in one that prints as a traceback.
    if isinstance(getattr(error, "exc", error), WorkerLostError):
        record.exc_info = None
    return True


def prepare(settings: Settings) -> None:
    """Import the client of the broker."""
    # What is wrong with the URL is told when the broker is checked.
    with suppress(KeyError, ImportError):
        resolve_transport(settings.broker_url.partition(":")[0])
