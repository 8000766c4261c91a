"""The public path of ``create_celery``."""

from __future__ import annotations

from micro.api.celery.app import create_celery

__all__ = ["create_celery"]
