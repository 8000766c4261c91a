"""The same function in FastAPI, with its parameters checked, as ``def`` and as ``async def``."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Parameters(BaseModel):
    """What the function takes."""

    name: str


@app.post("/def")
def hello(parameters: Parameters) -> dict[str, Any]:
    """Greet, in a thread."""
    return {"message": f"Hello {parameters.name}"}


@app.post("/async")
async def hello_async(parameters: Parameters) -> dict[str, Any]:
    """Greet, on the event loop."""
    return {"message": f"Hello {parameters.name}"}
