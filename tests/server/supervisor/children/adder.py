"""A Celery application with one task, for a worker and a client of the broker named in ADDER_BROKER.

A worker that is ready writes the file ``celery.up``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery, signals

app = Celery("adder", broker=os.environ["ADDER_BROKER"], backend="rpc://")
app.conf.update(worker_hijack_root_logger=False, broker_connection_retry_on_startup=True)


@signals.worker_ready.connect  # type: ignore[untyped-decorator]
def tell(**_: Any) -> None:
    Path("celery.up").touch()


@app.task(name="add")  # type: ignore[untyped-decorator]
def add(one: int, other: int) -> int:
    return one + other


if __name__ == "__main__":
    print(add.delay(2, 3).get(timeout=8))
