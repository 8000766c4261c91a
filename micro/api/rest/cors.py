"""Sets up CORS: passes ``gunicorn.cors`` of the configuration file to Flask-CORS."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from flask import Flask

from micro.errors import ConfigError

_TEXTS = frozenset({"origins", "methods", "allow_headers", "expose_headers"})
_WHOLE = frozenset({"resources", "max_age"})


def allow_origins(app: Flask, options: object) -> None:
    """Set up Flask-CORS with these options; do nothing if they are None.

    Raises ConfigError for unknown options and wrong types. Flask-CORS ignores unknown options, so a
    misspelt ``origins`` would allow every origin.
    """
    if options is None:
        return
    # Imported late: most services do not use CORS.
    from flask_cors import CORS

    settings = _checked("gunicorn.cors", options)
    resources = settings.get("resources")
    if isinstance(resources, dict):
        for pattern, of_resource in resources.items():
            _checked(f"gunicorn.cors.resources.{pattern}", of_resource)
    try:
        CORS(app, **settings)
    except (TypeError, ValueError) as err:
        raise ConfigError(f"Setting 'gunicorn.cors' is not valid for Flask-CORS: {err}.") from err


def _known_options() -> frozenset[str]:
    from flask_cors.core import CONFIG_OPTIONS

    return frozenset(name.removeprefix("CORS_").lower() for name in CONFIG_OPTIONS)


def _checked(setting: str, options: object) -> dict[str, Any]:
    if not isinstance(options, dict):
        raise _error(setting, "an object of Flask-CORS options", options)
    known = _known_options()
    for name, value in options.items():
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(sorted(known))}."
            raise ConfigError(f"Unknown setting '{setting}.{name}'; {hint}")
        if name in _TEXTS:
            texts = value if isinstance(value, list) else [value]
            if not all(isinstance(text, str) for text in texts):
                raise _error(f"{setting}.{name}", "a string or a list of strings", value)
        elif name not in _WHOLE and not isinstance(value, bool):
            raise _error(f"{setting}.{name}", "true or false", value)
    return options


def _error(setting: str, expected: str, found: object) -> ConfigError:
    return ConfigError(f"Setting '{setting}': expected {expected}, found {found!r}.")
