"""What Micro's REST server is made of, without Micro: uvicorn's worker beside Flask and pydantic."""

from __future__ import annotations

from asgi_app import app
from flask import Flask
from pydantic import create_model

__all__ = ["app"]

flask = Flask(__name__)
parameters = create_model("Parameters", name=(str, ...))
