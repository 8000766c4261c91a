"""The same function for functions-framework."""

from __future__ import annotations

from typing import Any

import functions_framework


@functions_framework.http
def hello(request: Any) -> dict[str, Any]:
    """Greet; the parameters are taken as they come."""
    parameters = request.get_json()
    return {"message": f"Hello {parameters['name']}"}
