"""Loads the settings from four layers, and serializes them for child processes.

The first layer that names a setting wins: command line, ``MICRO_*`` variables, JSON file, defaults.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import Field
from pathlib import Path
from typing import Any

from micro._version import __version__
from micro.config import parsers
from micro.config.settings import Settings, table, to_raw, variable
from micro.errors import ConfigError

COMMAND_LINE = "command line"
SECTIONS = ("gunicorn", "celery", "micro")


def load_settings(
    flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] | None = None
) -> Settings:
    """Resolve the settings from the four layers.

    ``flags`` maps setting names, and ``config_file``, to values from the command line; None means that
    the flag was not given. ``environ`` replaces ``os.environ``. Raises ConfigError, which names the layer,
    the expected and the found value.
    """
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    file = given.pop("config_file", None) or environ.get("MICRO_CONFIG_FILE") or environ.get("MICRO_CONFIG")
    sections = _read_file(Path(file)) if file else {}
    from_file = _take_settings(sections, f"file {file}")
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for setting in table():
        layers = ((COMMAND_LINE, given), (variable(setting), environ), (f"file {file}", from_file))
        for source, layer in layers:
            name = source if layer is environ else setting.name
            if name in layer:
                values[setting.name] = _parse(setting, layer[name], source)
                sources[setting.name] = source
                break
    values, sources = _fill_in_bind(values, sources, environ)
    sources |= {
        f"{section}_options": f"file {file}" for section in ("gunicorn", "celery") if sections.get(section)
    }
    return Settings(
        **values,
        gunicorn_options=sections.get("gunicorn", {}),
        celery_options=sections.get("celery", {}),
        sources=sources,
    )


def default_file() -> dict[str, dict[str, Any]]:
    """Return the default settings in the shape of a configuration file."""
    content: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for setting in table():
        section, key = setting.metadata["key"].split(".")
        if setting.default is not None:
            content[section][key] = to_raw(setting.default)
    return content


def dump_settings(settings: Settings) -> str:
    """Serialize the resolved settings for a child process. The text holds secrets in clear."""
    values = {each.name: to_raw(getattr(settings, each.name)) for each in table()}
    extra = {name: getattr(settings, name) for name in ("gunicorn_options", "celery_options", "sources")}
    return json.dumps({"version": __version__, "values": values, **extra})


def check_dumped_version(text: str) -> None:
    """Raise ConfigError if another version of Micro wrote the settings: Micro was upgraded while running."""
    written = json.loads(text).get("version")
    if written != __version__:
        raise ConfigError(
            f"Micro {written} runs, but Micro {__version__} has been installed since; restart Micro."
        )


def restore_settings(text: str) -> Settings:
    """Parse the output of ``dump_settings``; settings missing in it get their defaults."""
    content = json.loads(text)
    content.pop("version", None)
    values = content.pop("values")
    parsed = {
        each.name: each.metadata["parse"](values.get(each.name, to_raw(each.default))) for each in table()
    }
    return Settings(**parsed, **content)


def _parse(setting: Field[Any], raw: Any, source: str) -> Any:
    try:
        return setting.metadata["parse"](raw)
    except ValueError as err:
        raise ConfigError(f"Setting '{setting.name}' ({source}): {err}.") from err


def _read_file(path: Path) -> dict[str, dict[str, Any]]:
    where = f"Configuration file '{path}'"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise ConfigError(f"{where} does not exist; `micro -d > {path}` writes one.") from err
    except OSError as err:
        raise ConfigError(f"{where} cannot be read: {err.strerror}.") from err
    except ValueError as err:
        raise ConfigError(f"{where}: expected JSON, found something else: {err}.") from err
    if not isinstance(content, dict):
        raise ConfigError(f"{where}: expected a JSON object, found {parsers.found(content)}.")
    for name, section in content.items():
        if name not in SECTIONS:
            raise ConfigError(f"{where}: unknown section '{name}'; expected {', '.join(SECTIONS)}.")
        if not isinstance(section, dict):
            raise ConfigError(
                f"{where}, section '{name}': expected an object, found {parsers.found(section)}."
            )
    return content


def _take_settings(sections: dict[str, dict[str, Any]], source: str) -> dict[str, Any]:
    """Take Micro's settings out of the sections, so that what stays is passed through."""
    taken: dict[str, Any] = {}
    accepted: list[str] = []
    for setting in table():
        section, key = setting.metadata["key"].split(".")
        if section == "micro":
            accepted.append(key)
        if key in sections.get(section, {}):
            taken[setting.name] = sections[section].pop(key)
            _refuse_quoted_number(setting, taken[setting.name], source)
    for key in sections.get("micro", {}):
        known = ", ".join(sorted(accepted))
        raise ConfigError(f"Unknown setting '{key}' in section 'micro' ({source}); expected one of: {known}.")
    return taken


def _refuse_quoted_number(setting: Field[Any], raw: Any, source: str) -> None:
    """Hold a file to JSON's own types, where the other layers have only strings."""
    if type(setting.default) is int and isinstance(raw, str):
        expected = f"expected a number, found {parsers.found(raw)}; remove the quotes"
        raise ConfigError(f"Setting '{setting.name}' ({source}): {expected}.")


def _fill_in_bind(
    values: dict[str, Any], sources: dict[str, str], environ: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Let HOST and PORT, which hosting platforms set, make the bind that nothing else gave."""
    names = [name for name in ("HOST", "PORT") if environ.get(name)]
    if "bind" in values or not names:
        return values, sources
    host, _, port = Settings.bind.rpartition(":")
    source = " and ".join(names)
    host = environ.get("HOST") or host
    try:
        bind = parsers.bind(f"{f'[{host}]' if ':' in host else host}:{environ.get('PORT') or port}")
    except ValueError as err:
        raise ConfigError(f"Setting 'bind' ({source}): {err}.") from err
    return {**values, "bind": bind}, {**sources, "bind": source}
