"""What a plugin tells from inside a run, and what it is told: progress, track, log, cancelled."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from micro import PluginBase, PluginDescription
from micro.plugin.context import RunContext
from micro.service import Micro


class Reporter:
    """Keeps what a run reports; it is to stop once it has reported so often."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.told: list[tuple[float, float | None, str]] = []
        self.lines: list[tuple[str, str]] = []
        self._stop_after = stop_after

    def progress(self, done: float, total: float | None, message: str) -> None:
        self.told.append((done, total, message))

    def log(self, level: str, text: str) -> None:
        self.lines.append((level, text))

    def cancelled(self) -> bool:
        return self._stop_after is not None and len(self.told) >= self._stop_after


@pytest.fixture
def reporter() -> Reporter:
    return Reporter()


@pytest.fixture
def run(
    load: Callable[..., Micro], interface: Callable[..., str], reporter: Reporter
) -> Callable[..., dict[str, Any]]:
    """Run a plugin whose class has this body, its reports going to ``reporter`` or one that is given."""

    def run(body: str, watched: bool = True, to: Reporter | None = None) -> dict[str, Any]:
        micro = load({"plugin/interface.py": interface(body)})
        assert [each.cause for each in micro.loaded.failed] == []
        context = RunContext("celery", "request-7", to or reporter) if watched else None
        result: dict[str, Any] = json.loads(micro.run("plugin", {}, context))
        return result

    return run


Run = Callable[..., dict[str, Any]]


# Progress


def test_progress_goes_to_whoever_watches(run: Run, reporter: Reporter) -> None:
    run("""
        def run(self):
            self.progress(1)
            self.progress(2, 4)
            self.progress(4, 4, "done")
            return {}
    """)
    assert reporter.told == [(1, None, ""), (2, 4, ""), (4, 4, "done")]


@pytest.mark.parametrize(
    ("items", "totals"),
    [("[7, 8]", 2), ("range(2)", 2), ("(each for each in [7, 8])", None), ("iter([7, 8]), 2", 2)],
)
def test_track_yields_the_items_and_tells_how_far_it_is(
    run: Run, reporter: Reporter, items: str, totals: int | None
) -> None:
    result = run(f"""
        def run(self):
            return {{"items": [each for each in self.track({items}, message="on it")]}}
    """)
    assert len(result["items"]) == 2
    assert reporter.told == [(0, totals, "on it"), (1, totals, "on it"), (2, totals, "on it")]


def test_an_asynchronous_run_reports_as_any_other(run: Run, reporter: Reporter) -> None:
    run("""
        async def run(self):
            for each in self.track([1]):
                self.log.info("here")
            return {}
    """)
    assert (len(reporter.told), reporter.lines) == (2, [("INFO", "here")])


def test_where_nobody_watches_nothing_is_told(run: Run) -> None:
    result = run(
        """
        def run(self):
            self.progress(1, 2)
            self.log.info("unheard")
            return {"cancelled": bool(self.cancelled), "items": [*self.track([1])]}
        """,
        watched=False,
    )
    assert result == {"cancelled": False, "items": [1]}


def test_before_its_run_a_plugin_has_nobody_to_tell(run: Run, reporter: Reporter) -> None:
    run("""
        def __init__(self):
            self.progress(1)
            self.before = self.cancelled

        def run(self):
            return {"cancelled": self.before}
    """)
    assert reporter.told == []


# Stopping


def test_a_run_can_ask_whether_it_is_to_stop(run: Run) -> None:
    reporter = Reporter(stop_after=3)
    result = run(
        """
        def run(self):
            done = 0
            while not self.cancelled:
                done += 1
                self.progress(done)
            return {"done": done}
        """,
        to=reporter,
    )
    assert result == {"done": 3}


def test_the_class_itself_is_never_cancelled() -> None:
    assert PluginBase.cancelled is False


# Logging


def test_lines_from_info_on_go_with_the_job_whatever_the_level_of_the_log(
    run: Run, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    run("""
        def run(self):
            self.log.debug("details")
            self.log.info("step %d of %d", 1, 2)
            self.log.warning("%(who)s waits", {"who": "Ada"})
            self.log.log(35, "in between")
            return {}
    """)
    assert reporter.lines == [("INFO", "step 1 of 2"), ("WARNING", "Ada waits"), ("Level 35", "in between")]
    assert [each.getMessage() for each in caplog.records] == ["Ada waits", "in between"]


def test_a_line_of_the_log_names_its_author(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run("""
        def run(self):
            self.log.error("here")
            return {}
    """)
    (record,) = caplog.records
    assert (record.name, record.filename, record.funcName) == (
        "micro_plugins.plugin.interface",
        "interface.py",
        "run",
    )


def test_an_exception_is_told_in_the_line_and_traced_in_the_log(
    run: Run, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    run("""
        def run(self):
            try:
                {}["nothing"]
            except KeyError as err:
                self.log.exception("no luck")
                self.log.error("given", exc_info=err)
            self.log.error("nothing to tell", exc_info=True)
            return {}
    """)
    assert reporter.lines == [
        ("ERROR", "no luck (KeyError: 'nothing')"),
        ("ERROR", "given (KeyError: 'nothing')"),
        ("ERROR", "nothing to tell"),
    ]
    assert caplog.records[0].exc_info


def test_a_line_that_cannot_be_formatted_ends_no_run(
    run: Run, reporter: Reporter, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("micro_plugins").setLevel(logging.CRITICAL)
    try:
        run("""
            def run(self):
                self.log.info("%d pieces", "many")
                return {}
        """)
    finally:
        logging.getLogger("micro_plugins").setLevel(logging.NOTSET)
    assert reporter.lines == [("INFO", "%d pieces ('many',)")]


# Plugins of Micro 3, which know nothing of this


def test_own_attributes_of_these_names_are_the_plugins_own(run: Run, reporter: Reporter) -> None:
    result = run("""
        def __init__(self):
            self.log = ["own"]
            self.progress = 0.5
            self.cancelled = "no"
            self.track = {}

        def run(self):
            self.log.append("more")
            return {name: getattr(self, name) for name in ("log", "progress", "cancelled", "track")}
    """)
    assert result == {"log": ["own", "more"], "progress": 0.5, "cancelled": "no", "track": {}}
    assert (reporter.told, reporter.lines) == ([], [])


def test_own_methods_of_these_names_too(run: Run, reporter: Reporter) -> None:
    result = run("""
        log = "class attribute"

        def progress(self):
            return "own"

        @property
        def cancelled(self):
            return "property"

        def run(self):
            return {"log": self.log, "progress": self.progress(), "cancelled": self.cancelled}
    """)
    assert result == {"log": "class attribute", "progress": "own", "cancelled": "property"}


def test_a_plugin_that_guards_its_attributes_runs(run: Run, reporter: Reporter) -> None:
    run("""
        def __setattr__(self, name, value):
            raise AttributeError("read only")

        def run(self):
            self.progress(1)
            return {}
    """)
    assert reporter.told == [(1, None, "")]


# What a description says about jobs


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"timeout": 0}, "expected timeout to be seconds above 0, found 0"),
        ({"timeout": -1.5}, "expected timeout to be seconds above 0, found -1.5"),
        ({"retries": -1}, "expected retries to be 0 or more, found -1"),
        ({"retry_on": ["ValueError"]}, "expected retry_on to list exception classes, found 'ValueError'"),
        ({"retry_on": [int]}, "expected retry_on to list exception classes, found <class 'int'>"),
    ],
    ids=str,
)
def test_what_no_job_could_keep_to_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        PluginDescription(name="Wrong", **given)
    assert message in str(caught.value)


def test_what_jobs_keep_to_is_kept() -> None:
    description = PluginDescription(name="Right", timeout=2.5, retries=3, retry_on=[ValueError, OSError])
    assert (description.timeout, description.retries) == (2.5, 3)
    assert description.retry_on == (ValueError, OSError)
