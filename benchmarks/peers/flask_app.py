"""The same function in Flask, with nothing around it."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

app = Flask(__name__)


@app.post("/run/hello")
def hello() -> dict[str, Any]:
    """Greet; the parameters are taken as they come."""
    parameters = request.get_json()
    return {"message": f"Hello {parameters['name']}"}
