"""The table of settings, which defines flags, MICRO_* variables, file keys and the documentation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from micro.config import parsers
from micro.config.api_keys import ApiKey, parse_keys
from micro.errors import ConfigError

DEFAULT = "default"


def _setting(
    default: Any, key: str, *flags: str, parse: Callable[[Any], Any] = parsers.text, help: str
) -> Any:
    return field(default=default, metadata={"key": key, "flags": flags, "parse": parse, "help": help})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The resolved settings of Micro.

    ``gunicorn_options`` and ``celery_options`` hold the file's further settings of these libraries;
    ``sources`` maps a setting's name to the layer that set it.
    """

    gunicorn: bool = _setting(
        False, "micro.gunicorn", "-G", "--gunicorn", parse=parsers.switch, help="Serve the plugins over REST."
    )
    celery: bool = _setting(
        False, "micro.celery", "-C", "--celery", parse=parsers.switch, help="Serve the plugins over Celery."
    )
    plugin_path: tuple[Path, ...] = _setting(
        (),
        "micro.plugin_path",
        "-p",
        "--plugin-path",
        parse=parsers.paths,
        help=f"Folder that holds the plugin folders; several are joined by '{os.pathsep}'.",
    )
    load_plugins: tuple[str, ...] | None = _setting(
        None,
        "micro.load_plugins",
        parse=parsers.names_or_none,
        help="Names of the only plugins to load, separated by commas; unset loads all.",
    )
    disable_plugins: tuple[str, ...] = _setting(
        (),
        "micro.disable_plugins",
        parse=parsers.names,
        help="Names of plugins to leave out, separated by commas.",
    )
    reload: str = _setting(
        "watch",
        "micro.reload",
        "-r",
        "--reload",
        parse=parsers.reload,
        help="How changed plugins come into service: watch, as soon as they change; manual, on"
        " `micro reload`; off, when Micro starts.",
    )
    bind: str = _setting(
        "127.0.0.1:8000",
        "gunicorn.bind",
        "-b",
        "--bind",
        parse=parsers.bind,
        help="Address of the REST server: HOST:PORT or unix:PATH.",
    )
    gunicorn_workers: int = _setting(
        1,
        "gunicorn.workers",
        "-gw",
        "--gunicorn-workers",
        parse=parsers.number(1),
        help="Number of REST worker processes.",
    )
    gunicorn_threads: int = _setting(
        16,
        "gunicorn.threads",
        "-gt",
        "--gunicorn-threads",
        parse=parsers.number(1),
        help="Calls that each REST worker process runs at once.",
    )
    max_body_size: int = _setting(
        10 * 1024 * 1024,
        "micro.max_body_size",
        parse=parsers.number(1),
        help="Largest body of a REST request, in bytes.",
    )
    api_keys: tuple[ApiKey, ...] = _setting(
        (),
        "micro.api_keys",
        parse=parse_keys,
        help="Keys that REST asks for, separated by commas: NAME:KEY or NAME:KEY:PLUGIN|PLUGIN.",
    )
    api_keys_file: Path | None = _setting(
        None,
        "micro.api_keys_file",
        parse=parsers.path_or_none,
        help="File of further keys, one a line or a JSON list; read again when it changes.",
    )
    console: bool = _setting(
        True, "micro.console", parse=parsers.switch, help="Serve the console, pages for people, at /."
    )
    broker_url: str = _setting(
        "",
        "celery.broker_url",
        "-B",
        "--broker-url",
        parse=parsers.broker_url,
        help="URL of the message broker (amqp://, redis://); empty starts an embedded one.",
    )
    task_queues: tuple[str, ...] = _setting(
        ("micro",),
        "celery.task_queues",
        "-q",
        "--task-queues",
        parse=parsers.queues,
        help="Celery queues, separated by commas.",
    )
    hostname: str = _setting(
        "micro",
        "celery.hostname",
        "-H",
        "--hostname",
        parse=parsers.node_host,
        help="Host part of the names of the Celery nodes; %h is the machine's name.",
    )
    celery_workers: int = _setting(
        1,
        "celery.workers",
        "-cw",
        "--celery-workers",
        parse=parsers.number(1),
        help="Number of Celery worker nodes.",
    )
    log_file_name: str = _setting(
        "micro.log",
        "micro.log_file_name",
        "-ln",
        "--log-file-name",
        parse=parsers.file_name,
        help="Name of the log file.",
    )
    log_folder_path: Path = _setting(
        Path("/var/log/micro"),
        "micro.log_folder_path",
        "-lp",
        "--log-folder-path",
        parse=parsers.path,
        help="Folder of the log file.",
    )
    log_level: str = _setting(
        "WARNING",
        "micro.log_level",
        "-ll",
        "--log-level",
        parse=parsers.level,
        help="Lowest level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    )
    log_format: str = _setting(
        "text",
        "micro.log_format",
        parse=parsers.log_format,
        help="What log lines look like: text, or json, one object a line.",
    )
    metrics: bool = _setting(
        True, "micro.metrics", parse=parsers.switch, help="Count and time runs, and serve that at /metrics."
    )
    metrics_bind: str = _setting(
        "",
        "micro.metrics_bind",
        parse=parsers.address_or_none,
        help="Address, HOST:PORT, at which a Celery node serves /metrics, for a Micro without REST.",
    )
    log_max_size: int = _setting(
        0,
        "micro.log_max_size",
        parse=parsers.number(0),
        help="Bytes from which on the log file is begun anew, and the last five are kept; 0 for never.",
    )
    pid_folder_path: Path = _setting(
        Path("/var/run/micro"),
        "micro.pid_folder_path",
        "-pp",
        "--pid-folder-path",
        parse=parsers.path,
        help="Folder of the PID files.",
    )
    state_folder_path: Path = _setting(
        Path("/var/lib/micro"),
        "micro.state_folder_path",
        parse=parsers.path,
        help="Folder of what must outlive a restart: the job table and the embedded broker's queues.",
    )
    jobs_url: str = _setting(
        "",
        "micro.jobs_url",
        parse=parsers.text,
        help="URL of the job table, postgresql:// or sqlite://; empty is a SQLite file in the state folder.",
    )
    jobs_keep: int = _setting(
        7 * 24 * 3600,
        "micro.jobs_keep",
        parse=parsers.number(0),
        help="Seconds that a finished job is kept.",
    )
    stop_timeout: int = _setting(
        30,
        "micro.stop_timeout",
        parse=parsers.number(0),
        help="Seconds that running work gets to finish when Micro stops.",
    )
    gunicorn_options: Mapping[str, Any] = field(default_factory=dict)
    celery_options: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def source(self, name: str) -> str:
        """Return the layer that set the setting: command line, variable, file or default."""
        return self.sources.get(name, DEFAULT)


def table() -> Iterator[Field[Any]]:
    """Yield the fields that are settings, in the order of the documentation."""
    return (each for each in fields(Settings) if each.metadata)


def variable(setting: Field[Any]) -> str:
    """Return the name of the setting's environment variable."""
    return f"MICRO_{setting.name.upper()}"


def to_raw(value: Any) -> Any:
    """Return the JSON form of a setting's value, as a file may hold it."""
    if isinstance(value, tuple):
        if value and isinstance(value[0], ApiKey):
            return [each.as_raw() for each in value]
        separator = os.pathsep if value and isinstance(value[0], Path) else ","
        return separator.join(str(each) for each in value)
    return str(value) if isinstance(value, Path) else value


def check_plugin_path(settings: Settings) -> None:
    """Raise ConfigError unless every folder of the plugin path exists."""
    for path in settings.plugin_path:
        if not path.is_dir():
            kind = "a file" if path.exists() else "nothing"
            raise ConfigError(
                f"Setting 'plugin_path' ({settings.source('plugin_path')}): expected a folder,"
                f" found {kind} at '{path}'; create it or name another with -p."
            )
