"""Runs a Celery worker node: its startup, graceful shutdown and signal handlers."""

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
from queue import Empty
from typing import Any

from billiard import pool, process
from billiard.exceptions import WorkerLostError
from celery import Celery, signals
from celery.apps.worker import Worker, install_worker_term_handler
from celery.bootsteps import RUN, StartStopStep
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.utils.nodenames import host_format
from celery.worker import state
from celery.worker.components import Pool
from kombu.asynchronous import set_event_loop

from micro.api.celery.app import create_celery
from micro.config.redaction import masked_urls
from micro.config.settings import DEFAULT, Settings
from micro.errors import BrokerUnreachable, ConfigError
from micro.jobs.queue import publish, queues_for, trust_broker
from micro.jobs.service import open_store
from micro.jobs.worker.sweeper import Sweeper
from micro.runtime.ready_files import generations, tell_left, tell_ready
from micro.server.child import Role, load
from micro.server.exporter import Exporter, open_exporter
from micro.server.log_config import configure_logging
from micro.server.supervisor.signals import keep_from_children
from micro.service import Micro

log = logging.getLogger(__name__)

# How long (in 0.1 s) a stopping pool process waits for the node to read its last messages. The node does so
# at once, unless the connection to the broker broke while a task was on its way to the process: then it
# never does. billiard's default of 30 s is longer than a stop may take.
pool.GUARANTEE_MESSAGE_CONSUMPTION_RETRY_LIMIT = 20
# The node that serves the metrics, which are those of all processes of its machine.
FIRST_NODE = "worker1"
# How long a node waits for the broker when it starts.
_CONNECT_SECONDS = 3
# Seconds after which a node that should stop cuts a broker connection that does not answer.
_ANSWER_SECONDS = 2.0
_PAUSE_SECONDS = 0.2


class Node(Worker):  # type: ignore[misc]
    """A Celery worker whose graceful shutdown has a time limit, ``stop_timeout`` in seconds.

    ``followed()`` returns True if a node with newer plugins has replaced this one. ``left()`` is called
    when the node begins to stop, ``left()`` once it takes no more messages. ``bell`` wakes its event loop.
    """

    stop_timeout = 0.0
    bell: socket.socket | None = None
    followed: Callable[[], bool]
    left: Callable[[], None]

    def install_platform_tweaks(self, worker: Worker) -> None:
        super().install_platform_tweaks(worker)
        install_worker_term_handler(worker, callback=_limit_stop, verbose=False)


def _limit_stop(node: Node) -> None:
    """Give running tasks the node's ``stop_timeout`` to finish, then kill their pool processes.

    Celery's own soft shutdown always sleeps for the whole time, and plugins could catch its exception.
    If only the pool process is killed, the node returns a Celery client's message to the broker at once. If
    the whole node were killed, Redis would deliver it again only after its visibility timeout.
    """
    deadline = time.monotonic() + node.stop_timeout

    def look(*_: object) -> None:
        if node.blueprint.state == RUN:
            _cut_off_broker(node)
        if node.followed():
            # A node with newer plugins has taken over, so the runs here may take as long as they need.
            return
        left = deadline - time.monotonic()
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, left)
        else:
            _end_runs(node.stop_timeout)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, min(node.stop_timeout, _ANSWER_SECONDS))
    if node.bell:
        # Wake the event loop: else it would notice the stop at its next event only, or after a second.
        with suppress(OSError):
            node.bell.send(b"\0")


def _cut_off_broker(node: Node) -> None:
    """Close the broker's socket if the node still waits for an answer, as of a RabbitMQ that is starting."""
    connection = node.consumer and node.consumer.connection
    # Only connections to RabbitMQ have this attribute, and only they wait like that.
    with suppress(AttributeError, OSError):
        if connection and connection.connected:
            connection.connection.sock.shutdown(socket.SHUT_RDWR)


def _end_runs(seconds: float) -> None:
    # Pools other than prefork give the PID of the node itself: never kill that.
    pids = {each.worker_pid for each in state.active_requests} - {None, os.getpid()}
    for pid in pids:
        log.warning("Killing process %d: its run has not ended within the stop timeout of %g s", pid, seconds)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Leave(StartStopStep):  # type: ignore[misc]
    """Stops a node after its consumer and before its pool, which waits for running tasks.

    The node's ``left`` is called when no message can reach it any more.
    """

    requires = (Pool,)

    def start(self, node: Any) -> None:
        # Only the prefork pool has an event loop.
        if node.hub:
            self._ear, node.bell = socket.socketpair()
            for each in (self._ear, node.bell):
                each.setblocking(False)

    def register_with_event_loop(self, node: Any, hub: Any) -> None:
        # Called again for each connection to the broker: with the last one the loop dropped all its readers.
        hub.add_reader(self._ear, self._ear.recv, 1024)

    def stop(self, node: Any) -> None:
        channel = getattr(node.consumer.task_consumer, "channel", None)
        if channel:
            give_back(channel)
        node.left()
        if not state.active_requests:
            # Otherwise Celery would go on running timers, and poll the pool every half second.
            set_event_loop(None)


def give_back(channel: Any) -> None:
    """Return messages that were fetched for a channel without consumers to their queue at once.

    kombu sees to that when it closes the channel, but by then the node has finished what it runs. Of
    Redis it has asked for a message, and waits up to a second for the answer; of other brokers, nothing.
    """
    if getattr(channel, "_in_poll", None):
        # kombu warns about each message without a consumer; returning it is intended here.
        logging.getLogger("kombu.transport.virtual.base").setLevel(logging.ERROR)
        with suppress(Empty, *channel.connection_errors):
            channel._brpop_read()


def main(settings: Settings, role: Role) -> int:
    """Run the node until it is asked to stop; return the exit code."""
    micro, facts = load(settings, role)
    app = create_celery(micro=micro)
    check_broker(app)
    # Ignore Celery's warning about running as root: the supervisor has already warned.
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
        # Micro does not use the messages between nodes, and mingle delays each start by a second.
        without_mingle=True,
        without_gossip=True,
    )
    worker.stop_timeout = settings.stop_timeout
    worker.followed = partial(_is_followed, settings, role)
    worker.left = partial(_leave, settings, role, exporter)
    # Ignore Celery's warnings about defaults that change in version 6. Making the worker has enabled them.
    warnings.simplefilter("ignore", CPendingDeprecationWarning)
    try:
        worker.start()
    finally:
        # While the interpreter shuts down, it drops its signal handlers, and SIGALRM would kill the process.
        signal.setitimer(signal.ITIMER_REAL, 0)
    return int(worker.exitcode or 0)


def node_name(settings: Settings, role: Role) -> str:
    """Return the name of the node: worker1@host, after a reload worker1-2@host.

    The generation is part of it, as the old node may still run.
    """
    later = f"-{role.generation}" if role.generation > 1 else ""
    named: str = host_format(f"{role.name}{later}@{settings.hostname}")
    return named


def _queues(app: Celery, micro: Micro) -> list[str]:
    """Return the queues to read: those of the settings; if these are the default, also those of plugins."""
    names = dict.fromkeys(micro.settings.task_queues)
    if micro.settings.source("task_queues") == DEFAULT:
        names |= dict.fromkeys(each.description.queue for each in micro.loaded if each.description.queue)
    return [app.amqp.queues.add(queue).name for queue in queues_for(names)]


def check_broker(app: Celery) -> None:
    """Raise BrokerUnreachable if the broker does not answer within 3 s, ConfigError for an invalid URL."""
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
        # Each kombu transport raises exceptions of its own library.
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
    sweeper = Sweeper(store, micro.settings.jobs_keep, owner, partial(publish, app))

    def start(**_: Any) -> None:
        sweeper.start()
        if exporter:
            exporter.start()

    def stop(**_: Any) -> None:
        if exporter:
            exporter.stop()
        sweeper.stop()

    signals.worker_ready.connect(start, weak=False)
    signals.worker_shutdown.connect(stop, weak=False)


def _connect_signals(app: Celery, micro: Micro, role: Role, facts: dict[str, Any]) -> None:
    settings = micro.settings

    def set_up_logging(**_: Any) -> None:
        configure_logging(settings.log_level, settings.log_format, role.name)
        logging.getLogger("celery.worker.request").addFilter(_without_own_traceback)

    def ready(sender: Any, **_: Any) -> None:
        # With pools other than prefork, runs fork the node itself.
        keep_from_children((signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP))
        tell_ready(settings, role.name, sender.pid, role.generation, **facts)

    def start(**_: Any) -> None:
        trust_broker(app, settings)
        signals.task_prerun.connect(_end_at_sigterm)
        # Let runs start processes, as they may in the REST server: `multiprocessing` forbids it to daemons.
        process.current_process()._config["daemon"] = False
        micro.start()

    def stop(**_: Any) -> None:
        micro.stop()

    def end(exitcode: int = 0, **_: Any) -> None:
        micro.stop()
        # If no other receiver follows, end here: billiard would sleep for a second, and then do the same.
        if signals.worker_process_shutdown.receivers[-1][1] is end:
            os._exit(exitcode)

    # weak=False: the handlers are local functions, and would be garbage-collected at once.
    signals.setup_logging.connect(set_up_logging, weak=False)
    signals.worker_ready.connect(ready, weak=False)
    signals.worker_process_init.connect(start, weak=False)
    signals.worker_process_shutdown.connect(end, weak=False)
    # For pools other than prefork. With prefork the node itself has started no plugins, so it does nothing.
    signals.worker_shutdown.connect(stop, weak=False)


def _end_at_sigterm(**_: Any) -> None:
    """Let SIGTERM kill a pool process. billiard would raise SystemExit, as if the plugin called exit()."""
    # Done before the first task, as billiard sets its handler after the process has started.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signals.task_prerun.disconnect(_end_at_sigterm)


def _without_own_traceback(record: logging.LogRecord) -> bool:
    """Drop the useless traceback from Celery's WorkerLostError records: it has no frame of the process."""
    error = record.exc_info and record.exc_info[1]
    # billiard may wrap the error in another exception, which has it as ``exc``.
    if isinstance(getattr(error, "exc", error), WorkerLostError):
        record.exc_info = None
    return True
