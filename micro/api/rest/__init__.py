"""REST: the Flask application and its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micro.api.rest.app import create_app as create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    """Import Flask only for a caller that asks for the application."""
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from micro.api.rest.app import create_app

    return create_app
