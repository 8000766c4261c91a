"""The pages of jobs and of the service's state, in a real browser."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], shown_plugins: Path, plugins: Path) -> Any:
    path = f"{shown_plugins}:{plugins / 'short_limits'}"
    return start_shared_micro("-GC", "-p", path, "-ll", "INFO")


@pytest.fixture
def gate(micro: Any) -> Iterator[Path]:
    """A file that lets expeditions go on; its name does for them, as they run in its folder."""
    path = micro.folder / f"gate-{uuid.uuid4().hex[:6]}"
    yield path
    path.touch()


@pytest.fixture
def start_job(open_page: Open, micro: Any) -> Open:
    """Start an expedition as a job from its form, and return the page of the job."""

    def start(**fields: str) -> Any:
        page = open_page(f"{micro.url}/ui/plugin?name=expedition")
        for name, value in fields.items():
            field = page.get_by_label(name)
            field.check() if value == "yes" else field.fill(value)
        page.get_by_role("button", name="Run as a job").click()
        page.get_by_role("heading", name="Facts").wait_for()
        return page

    return start


def state(page: Any, word: str) -> None:
    """Wait until the page of a job says that it is in this state."""
    page.get_by_role("heading", level=1).get_by_text(word).wait_for()


def test_a_job_is_watched_to_its_end(start_job: Open, gate: Path, shoot: Any) -> None:
    page = start_job(camps="6", gate=gate.name)
    page.get_by_text("3 of 6 · on the way to camp 4").wait_for()
    assert page.get_by_role("progressbar").evaluate("bar => bar.value") == 0.5
    page.get_by_role("log").get_by_text("camp 3 reached, 3600 metres").wait_for()
    shoot(page, "job")
    gate.touch()
    state(page, "Succeeded")
    page.get_by_role("img", name="Line plot of heights: 7 numbers").wait_for()
    lines = page.get_by_role("log").locator("li span").all_inner_texts()
    assert lines == [f"camp {camp} reached, {1800 + 600 * camp} metres" for camp in range(1, 7)]
    page.reload()
    state(page, "Succeeded")
    page.get_by_role("img", name="Line plot of heights: 7 numbers").wait_for()


def test_a_job_is_cancelled_and_run_again(start_job: Open, gate: Path) -> None:
    page = start_job(camps="5", gate=gate.name)
    page.get_by_role("button", name="Cancel").click()
    state(page, "Cancelled")
    page.get_by_text("The job was cancelled.").wait_for()
    first = page.url
    gate.touch()
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(lambda address: address != first)
    state(page, "Succeeded")
    page.get_by_role("link", name=first[-12:]).wait_for()


def test_a_job_that_fails_says_why_and_can_be_tried_with_other_parameters(start_job: Open) -> None:
    page = start_job(camps="2", fall="yes")
    state(page, "Failed")
    page.get_by_text("somebody fell").wait_for()
    page.get_by_role("button", name="Try it with other parameters").click()
    page.get_by_role("heading", name="Parameters").wait_for()
    assert page.get_by_label("camps").input_value() == "2"
    assert page.get_by_label("fall").is_checked()


def test_the_list_is_live_and_filtered(
    open_page: Open, micro: Any, gate: Path, shoot: Any, start_job: Open
) -> None:
    start_job(camps="1", fall="yes")
    running = start_job(camps="4", gate=gate.name)
    page = open_page(f"{micro.url}/ui/jobs")
    row = page.get_by_role("row").filter(has_text=running.url[-12:])
    row.get_by_text("3 of 4 · on the way to camp 4").wait_for()
    shoot(page, "jobs")
    gate.touch()
    row.get_by_text("Succeeded").wait_for()
    page.get_by_label("State").select_option("failed")
    row.wait_for(state="detached")
    page.reload()
    page.get_by_text("somebody fell").first.wait_for()
    assert page.get_by_label("State").input_value() == "failed"
    assert set(page.locator("#jobs .badge").all_inner_texts()) == {"Failed"}
    page.get_by_label("Plugin").select_option("Gallery")
    page.get_by_text("No job matches").wait_for()


def test_a_job_that_is_not_there_is_told(open_page: Open, micro: Any) -> None:
    page = open_page(f"{micro.url}/ui/job?id=nothing")
    page.get_by_role("alert").wait_for()


def test_the_state_of_the_service_is_told(open_page: Open, micro: Any, start_job: Open) -> None:
    start_job(camps="1", fall="yes").get_by_text("somebody fell").wait_for()
    page = open_page(f"{micro.url}/ui/service")
    page.get_by_role("link", name="Expedition").first.wait_for()
    assert page.get_by_role("region", name="Queues").get_by_role("rowheader").all_inner_texts() == ["micro"]
    facts = page.get_by_label("Summary")
    assert facts.get_by_text("1 left out").is_visible()
    assert facts.get_by_text("Jobs running").is_visible()
    processes = page.get_by_role("region", name="Processes").get_by_role("rowheader").all_inner_texts()
    assert processes == ["broker", "rest", "worker1"]


def test_runs_and_their_durations_are_counted_and_drawn(open_page: Open, micro: Any, shoot: Any) -> None:
    for _ in range(3):
        micro.call("/run/Gallery", {})
    micro.call("/run/Gallery", {"points": "many"})
    page = open_page(f"{micro.url}/ui/service")
    runs = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="Gallery"))
    runs.get_by_text("4", exact=True).wait_for()
    assert runs.locator("dd").all_inner_texts()[:3] == ["4", "1", "0"]
    # Another look gives the first points of the plots.
    for number in (5, 6):
        micro.call("/run/Gallery", {})
        runs.get_by_text(str(number), exact=True).wait_for()
    assert runs.get_by_role("img", name="Runs a second: Gallery").locator("path").get_attribute("d")
    assert runs.get_by_role("img", name="Mean duration: Gallery").locator("path").get_attribute("d")
    shoot(page, "service")


@pytest.mark.parametrize("path", ["jobs", "job", "service"])
def test_axe_finds_nothing_serious_and_it_fits_on_a_phone(
    open_page: Open, micro: Any, start_job: Open, serious_faults: Callable[[Any], list[str]], path: str
) -> None:
    job = start_job(camps="2")
    state(job, "Succeeded")
    query = job.url.partition("?")[2] if path == "job" else ""
    for options in ({}, {"color_scheme": "dark", **PHONE}):
        page = open_page(f"{micro.url}/ui/{path}?{query}", **options)
        page.get_by_text("Expedition").last.wait_for()
        assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
