"""``Requests``, the Celery client of the four operations: plugins, info, help and run."""

from __future__ import annotations

from typing import Any

from celery import Celery, Task

from micro.correlation import message_headers

OPERATIONS = ("plugins", "info", "help", "run")


class CarryingTask(Task):  # type: ignore[misc]
    """A task that sends the current request id and trace context as message headers.

    Headers that the caller passes itself take precedence.
    """

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:
        headers = {**message_headers(), **(options.pop("headers", None) or {})}
        return super().apply_async(args, kwargs, headers=headers or None, **options)


class Requests:
    """Sends the four operations to the workers of one queue.

    ``broker`` is the broker's URL, ``queue`` the name of the queue that the workers read.
    ``Requests(broker, queue).run.delay("Example Plugin", name="Micro").wait()`` returns the result as JSON
    text; ``plugins``, ``info`` and ``help`` work the same way. ``delay()`` raises
    ``kombu.exceptions.OperationalError`` if the broker does not answer.
    """

    def __init__(self, broker: str, queue: str) -> None:
        app = Celery("Micro", broker=broker, backend="rpc://", set_as_current=False)
        app.conf.update(
            accept_content=["json"],
            task_serializer="json",
            result_serializer="json",
            task_default_queue=queue,
            task_routes={"Micro.*": {"queue": queue}},
            broker_connection_retry_on_startup=True,
        )
        for operation in OPERATIONS:
            _declare(app, operation)
        self._take_tasks(app)

    @classmethod
    def of(cls, app: Celery) -> Requests:
        """Make a client that uses an existing application with these tasks, as ``create_celery`` makes it."""
        requests = cls.__new__(cls)
        requests._take_tasks(app)
        return requests

    def _take_tasks(self, app: Celery) -> None:
        self.plugins: Task = app.tasks["Micro.plugins"]
        self.info: Task = app.tasks["Micro.info"]
        self.help: Task = app.tasks["Micro.help"]
        self.run: Task = app.tasks["Micro.run"]


def _declare(app: Celery, operation: str) -> None:
    """Declare the task by name, so that messages can be sent; the code is in the worker."""

    def remote(*args: object, **kwargs: object) -> None:
        raise NotImplementedError(f"Micro.{operation} runs in a Micro worker; call it with .delay()")

    # typing=False: the worker checks the parameters, as only it knows the plugin.
    # shared=False: Celery would add a shared task to every application in this process, a worker's included.
    app.task(remote, name=f"Micro.{operation}", base=CarryingTask, typing=False, shared=False)
