"""The console of a service that asks for API keys, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KEY, OTHER = "a-key-of-enough-length-1", "a-key-for-greeting-alone"


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], shown_plugins: Path) -> Any:
    keys = f"people:{KEY},guest:{OTHER}:Greeting"
    return start_shared_micro("-GC", "-p", str(shown_plugins), MICRO_API_KEYS=keys)


def give(page: Any, key: str) -> None:
    page.get_by_role("dialog").get_by_label("Key").fill(key)
    page.get_by_role("button", name="Use this key").click()


def test_the_key_is_asked_for_and_kept_as_long_as_the_tab_is_open(
    open_page: Callable[..., Any], micro: Any, serious_faults: Callable[[Any], list[str]]
) -> None:
    page = open_page(micro.url)
    page.get_by_role("dialog").wait_for()
    assert serious_faults(page) == []
    give(page, "wrong")
    page.get_by_text("That key was not accepted.").wait_for()
    give(page, KEY)
    page.get_by_text("5 plugins").wait_for()
    page.get_by_role("link", name="Expedition").click()
    page.get_by_label("camps").fill("2")
    page.get_by_role("button", name="Run as a job").click()
    page.get_by_role("log").get_by_text("camp 2 reached").wait_for()
    stored = page.evaluate("[Object.values(sessionStorage), Object.values(localStorage), document.cookie]")
    assert stored == [[KEY], [], ""]


def test_who_gives_no_key_sees_nothing_and_can_give_one_later(
    open_page: Callable[..., Any], micro: Any
) -> None:
    page = open_page(f"{micro.url}/ui/plugin?name=Greeting")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("An API key is needed to see this.").wait_for()
    page.get_by_role("button", name="Enter key").click()
    give(page, KEY)
    page.get_by_label("times").wait_for()
    page.get_by_role("button", name="Forget key").click()
    page.get_by_role("dialog").wait_for()


def test_a_key_for_some_plugins_shows_these(open_page: Callable[..., Any], micro: Any) -> None:
    page = open_page(micro.url)
    give(page, OTHER)
    page.get_by_text("1 plugin").wait_for()
    page.goto(f"{micro.url}/ui/service")
    page.get_by_text("This service does not offer its metrics").wait_for()
    page.goto(f"{micro.url}/ui/plugin?name=Expedition")
    page.get_by_text("may not call plugin 'Expedition'").wait_for()
