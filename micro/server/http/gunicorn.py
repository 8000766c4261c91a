"""The REST server: gunicorn manages its processes, and each loads Micro's Flask application."""

from __future__ import annotations

import logging
import os
import ssl
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError
from gunicorn.glogging import Logger
from gunicorn.http.errors import ParseException
from gunicorn.sock import ssl_context

from micro.api.rest.app import create_app
from micro.api.rest.probes import PROBES, readiness_of
from micro.api.rest.problem import problem
from micro.config.settings import DEFAULT, Settings
from micro.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    BadRequest,
    ConfigError,
    MicroError,
    error_fields,
)
from micro.runtime.health import NotReady
from micro.runtime.ready_files import REST, generations, tell_ready
from micro.server.child import Role, load
from micro.server.http.body import BodyLimits
from micro.server.http.bridge import Bridge
from micro.server.http.worker import IGNORED, BridgeWorker
from micro.server.reload.generation import GenerationReport
from micro.server.supervisor.signals import keep_from_children
from micro.service import Micro

if TYPE_CHECKING:
    from flask import Flask, Response

log = logging.getLogger(__name__)

# Settings that gunicorn is not given: the first is for Flask-CORS, the supervisor decides the others.
_NOT_GUNICORN = ("cors", "daemon", "pidfile", "reuse_port")
_TLS_FILES = ("certfile", "keyfile", "ca_certs")


class GunicornLogger(Logger):  # type: ignore[misc]
    """Leaves gunicorn's records to the handlers of the process."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        if cfg.errorlog == "-":
            _leave_to_process(self.error_log)
        if cfg.accesslog == "-":
            _leave_to_process(self.access_log)


def _leave_to_process(logger: logging.Logger) -> None:
    logger.handlers.clear()
    logger.propagate = True


class RestServer(BaseApplication):  # type: ignore[misc]
    """Configures gunicorn from the settings and loads the application in each worker."""

    def __init__(self, settings: Settings, role: Role) -> None:
        self.settings = settings
        self.role = role
        self.micro: Micro | None = None
        self.facts: dict[str, Any] = {}
        self.worker: Any = None
        super().__init__()

    def do_load_config(self) -> None:
        # The base class ends the process on errors; this one raises them.
        self.load_default_config()
        self.load_config()

    def load_config(self) -> None:
        self._set_options()
        try:
            # gunicorn imports a class when the setting is first read.
            _ = self.cfg.worker_class, self.cfg.logger_class
        except RuntimeError as err:
            cause = str(err).splitlines()[0].rstrip(": ")
            raise ConfigError(f"Section 'gunicorn' ({self._file()}): {cause}.") from err

    def _set_options(self) -> None:
        for key, value in self._options().items():
            if key not in self.cfg.settings:
                close = get_close_matches(key, self.cfg.settings, n=1)
                hint = f"did you mean {close[0]!r}?" if close else "see gunicorn's list of settings"
                raise ConfigError(f"Unknown setting {key!r} in section 'gunicorn' ({self._file()}); {hint}.")
            try:
                self.cfg.set(key, value)
            except (TypeError, ValueError) as err:
                raise ConfigError(
                    f"Setting 'gunicorn.{key}' ({self._file()}): gunicorn does not accept {value!r}: {err}."
                ) from err

    def _file(self) -> str:
        return self.settings.source("gunicorn_options")

    def _options(self) -> dict[str, Any]:
        passed = self.settings.gunicorn_options
        if not isinstance(passed.get("cors", {}), dict):
            raise ConfigError(
                f"Setting 'gunicorn.cors' ({self._file()}): expected an object of Flask-CORS options,"
                f" found {passed['cors']!r}."
            )
        if passed.get("daemon"):
            log.warning("Setting 'gunicorn.daemon' is ignored: Micro itself watches gunicorn")
        if self._worker_class() is BridgeWorker:
            for name in sorted(IGNORED & passed.keys()):
                log.warning("Setting 'gunicorn.%s' is ignored: uvicorn's worker has no such setting", name)
        return {
            "bind": self.role.listen or self.settings.bind,
            "workers": self.settings.gunicorn_workers,
            "threads": self._threads(),
            "graceful_timeout": self.settings.stop_timeout,
            "loglevel": self.settings.log_level.lower(),
            "logger_class": GunicornLogger,
            "control_socket_disable": True,
            "proc_name": "micro",
            **{key: value for key, value in passed.items() if key not in _NOT_GUNICORN},
            "worker_class": self._worker_class(),
            "post_worker_init": self._worker_started,
            "worker_exit": self._worker_ended,
        }

    def _worker_class(self) -> Any:
        return self.settings.gunicorn_options.get("worker_class", BridgeWorker)

    def _threads(self) -> int:
        is_sync = self.settings.gunicorn_options.get("worker_class") == "sync"
        # gunicorn turns "sync" with several threads into "gthread": only if the user asked for threads.
        is_asked = self.settings.source("gunicorn_threads") != DEFAULT
        return 1 if is_sync and not is_asked else self.settings.gunicorn_threads

    def load(self) -> Flask | Bridge:
        try:
            self.micro, self.facts = load(self.settings, self.role)
            app = create_app(micro=self.micro)
            readiness_of(app).add("serving", self._check_serving)
            readiness_of(app).add("generation", GenerationReport(self.settings, self.role).tell)
        except MicroError as err:
            if self.cfg.preload_app:
                raise
            # gunicorn prints the message of this error and starts no further worker.
            raise AppImportError(f"Error: {err.message}") from err
        if self._worker_class() not in (BridgeWorker, "asgi"):
            # gunicorn's own workers find a malformed chunk only when the application reads the body.
            app.register_error_handler(ParseException, _refuse_malformed)
            return app
        limits = BodyLimits(size=self.settings.max_body_size)
        return Bridge(app, self.cfg.threads, limits, PROBES | {"/metrics"})

    def _check_serving(self) -> str:
        if self.worker is not None and not self.worker.alive:
            if generations(self.settings).get(REST, 0) > self.role.generation:
                return "another process has taken over; running work is finished"
            raise NotReady("stopping: running work is finished, no new work is taken")
        return f"process {os.getpid()}"

    def _worker_started(self, worker: Any) -> None:
        assert self.micro is not None
        self.worker = worker
        # BridgeWorker does so after uvicorn has installed its own handlers.
        if not isinstance(worker, BridgeWorker):
            keep_from_children(worker.SIGNALS)
        self.micro.start()
        facts = {"addresses": [str(each) for each in worker.sockets], **self.facts}
        tell_ready(self.settings, self.role.name, os.getppid(), self.role.generation, **facts)

    def _worker_ended(self, arbiter: Any, worker: Any) -> None:
        if self.micro:
            self.micro.stop()


def _refuse_malformed(error: Exception) -> Response:
    return problem(400, error_fields(BadRequest(f"The body cannot be read: {error}")))


class SharingArbiter(Arbiter):  # type: ignore[misc]
    """Leaves a Unix socket in place when it stops: the next server listens on the same one."""

    LISTENERS: list[Any]

    def stop(self, graceful: bool = True) -> None:
        for listener in self.LISTENERS:
            listener.close()
        self.LISTENERS = []
        super().stop(graceful)


def check_options(settings: Settings) -> None:
    """Raise ConfigError where gunicorn could not serve with the settings."""
    _check_tls(RestServer(settings, Role(REST)).cfg, settings.source("gunicorn_options"))


def _check_tls(cfg: Any, source: str) -> None:
    """Raise ConfigError if certificate and key cannot be used; gunicorn would fail at every connection.

    ``source`` names the layer of the settings that gave them.
    """
    if not cfg.is_ssl:
        return
    where = f"Section 'gunicorn' ({source})"
    if not cfg.certfile:
        raise ConfigError(f"{where}: expected 'certfile' beside 'keyfile'; name the file of the certificate.")
    for name in _TLS_FILES:
        file = getattr(cfg, name)
        if file and not Path(file).is_file():
            raise ConfigError(f"{where}: '{name}' names '{file}', where no file is.")
    try:
        ssl_context(cfg)
    except (OSError, ssl.SSLError, ValueError) as err:
        files = ", ".join(f"{name} '{file}'" for name in _TLS_FILES if (file := getattr(cfg, name)))
        reason = getattr(err, "reason", None) or getattr(err, "strerror", None) or err
        raise ConfigError(
            f"{where}: {files}: expected a certificate and its key in PEM, without a password; {reason}."
        ) from err


def main(settings: Settings, role: Role) -> int:
    """Serve until told to stop; return the exit code."""
    server = RestServer(settings, role)
    _check_tls(server.cfg, settings.source("gunicorn_options"))
    pid = os.getpid()
    try:
        SharingArbiter(server).run()
    except SystemExit as err:
        if os.getpid() != pid:
            # A forked worker ends here; by its exit code gunicorn decides whether to start another.
            raise
        # APP_LOAD_ERROR means bad configuration: exit with the usage code.
        return EXIT_USAGE if err.code == Arbiter.APP_LOAD_ERROR else EXIT_FAILED if err.code else EXIT_OK
    return EXIT_OK
