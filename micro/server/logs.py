"""Sets up logging in a child process: everything to stderr, which the supervisor forwards."""

from __future__ import annotations

import logging.config

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def configure_logging(level: str) -> None:
    """Send all records from ``level`` on to stderr."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"format": FORMAT}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            # It warns of ETAs, which Micro does not use, at each start with RabbitMQ.
            "loggers": {"kombu.transport.native_delayed_delivery": {"level": "ERROR"}},
            "root": {"level": level, "handlers": ["stderr"]},
        }
    )
