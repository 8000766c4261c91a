"""The base classes for plugin authors: PluginBase and PluginDescription."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence, Sized
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from micro.errors import one_line

if TYPE_CHECKING:
    from micro.plugin.context import RunContext

Item = TypeVar("Item")
Value = TypeVar("Value")


class _Cancelled:
    """A descriptor that returns a bool. A property would forbid plugins an attribute of this name."""

    def __get__(self, instance: PluginBase | None, owner: type[PluginBase]) -> bool:
        context = instance and instance._micro_context
        return bool(context and context.reporter.cancelled())


class PluginBase:
    """A plugin: one new instance for each run.

    ``run`` takes the caller's parameters by name and returns a dict (or a dataclass or
    pydantic model that becomes one). ``setup`` is called once in each process before
    the first run, ``teardown`` once when the process ends.
    """

    # Declared as Callable, not as a method, because each subclass has other parameters.
    run: Callable[..., Any]
    cancelled = _Cancelled()
    """True if this run was asked to stop; a long run should check it now and then, and return."""
    _micro_context: RunContext | None = None

    @classmethod
    def setup(cls) -> None:
        """Prepare the process: load a model, open a connection."""

    @classmethod
    def teardown(cls) -> None:
        """Release what ``setup`` took."""

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report progress, ``done`` of ``total``; does nothing if the run is not tracked."""
        if self._micro_context:
            self._micro_context.reporter.progress(done, total, message)

    def track(self, items: Iterable[Item], total: float | None = None, message: str = "") -> Iterator[Item]:
        """Yield the items, reporting progress after each; ``total`` defaults to their number, if known."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        self.progress(0, total, message)
        for done, item in enumerate(items, 1):
            yield item
            self.progress(done, total, message)

    @cached_property
    def log(self) -> RunLog:
        """A logger whose lines go to Micro's log and, from INFO on, with the job."""
        return RunLog(logging.getLogger(type(self).__module__), self._micro_context)


class RunLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that also passes each line, from INFO on, to the run's reporter."""

    def __init__(self, logger: logging.Logger, context: RunContext | None) -> None:
        super().__init__(logger)
        self._context = context

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        # Skip this frame too, so that the record names the line of the plugin.
        kwargs["stacklevel"] = kwargs.get("stacklevel", 1) + 1
        super().log(level, msg, *args, **kwargs)
        if self._context and level >= logging.INFO:
            self._context.reporter.log(logging.getLevelName(level), _text(msg, args, kwargs.get("exc_info")))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, kwargs


def _text(msg: object, args: tuple[object, ...], exc_info: object) -> str:
    """Return the formatted message, with type and message of the exception, if any."""
    record = logging.LogRecord("", logging.INFO, "", 0, msg, args, None)
    try:
        text = record.getMessage()
    except Exception:
        # The arguments do not fit the format: as in any logger, that must not end the program.
        text = f"{msg} {args}"
    error = exc_info if isinstance(exc_info, BaseException) else exc_info and sys.exception()
    return f"{text} ({one_line(error)})" if isinstance(error, BaseException) else text


class PluginDescription:
    """Names a plugin class and describes it to its callers.

    ``instance`` is the class itself; it may be left out when the module that holds the
    description defines exactly one ``PluginBase`` subclass. ``examples`` is a list of
    ``{"params": {...}, "result": {...}}``. For jobs: ``timeout`` is in seconds, ``retries`` a
    number of further attempts after one of the exceptions in ``retry_on``, ``queue`` the name
    of the Celery queue. ``timeout`` holds for runs over REST too. ``concurrency`` is how many runs one
    process does at a time.
    """

    def __init__(
        self,
        instance: type[PluginBase] | None = None,
        name: str | None = None,
        version: str | None = None,
        url: str | None = None,
        author: str | None = None,
        author_email: str | None = None,
        description: str | None = None,
        long_description: str | None = None,
        plugin_help: str | None = None,
        *,
        examples: Sequence[Mapping[str, Any]] = (),
        timeout: float | None = None,
        retries: int = 0,
        retry_on: Sequence[type[Exception]] = (),
        queue: str | None = None,
        concurrency: int | None = None,
    ) -> None:
        self.instance = instance
        self.name = name
        self.version = version
        self.url = url
        self.author = author
        self.author_email = author_email
        self.description = description
        self.long_description = long_description
        self.plugin_help = plugin_help
        self.examples = tuple(examples)
        self.timeout = _checked("timeout", timeout, timeout is None or timeout > 0, "seconds above 0")
        self.retries = _checked("retries", retries, retries >= 0, "0 or more")
        self.retry_on = tuple(_exception_class(each) for each in retry_on)
        self.queue = queue
        fits = concurrency is None or (type(concurrency) is int and concurrency >= 1)
        self.concurrency = _checked("concurrency", concurrency, fits, "a whole number from 1 on")

    def __repr__(self) -> str:
        return f"<PluginDescription {self.name!r}>"


def _checked(name: str, value: Value, fits: bool, expected: str) -> Value:
    if not fits:
        raise ValueError(f"PluginDescription: expected {name} to be {expected}, found {value!r}")
    return value


def _exception_class(value: object) -> type[Exception]:
    if inspect.isclass(value) and issubclass(value, Exception):
        return value
    raise TypeError(f"PluginDescription: expected retry_on to list exception classes, found {value!r}")


def is_plugin_class(value: object) -> bool:
    """Return True if the value is a subclass of PluginBase with a callable ``run``."""
    return inspect.isclass(value) and issubclass(value, PluginBase) and callable(getattr(value, "run", None))
