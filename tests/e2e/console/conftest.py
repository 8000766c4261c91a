"""A browser, pages in it that may not break a rule, and plugins for people to try."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

SCREENSHOTS = os.environ.get("MICRO_SCREENSHOTS")
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 15_000
DESK = {"width": 1200, "height": 760}
# As root, as in containers, chromium cannot build its sandbox.
ARGUMENTS = ["--disable-gpu", "--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The chromium of this machine; of a module's own, as its driver keeps an event loop in the thread."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        _do_without("No browser is installed: looked for " + ", ".join(PROGRAMS))
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as err:
        _do_without(f"The extra 'browser' is not installed: {err}")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=ARGUMENTS)


class Pages:
    """Opens pages, and notes when a script in one breaks or something is against the policy."""

    def __init__(self, browser: Any) -> None:
        self._browser, self._contexts = browser, []
        self.wrong: list[str] = []

    def make(self, **options: Any) -> Any:
        context = self._browser.new_context(**{"viewport": DESK, "locale": "en-GB", **options})
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", self._note)
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def _note(self, line: Any) -> None:
        if "Security Policy" in line.text:
            self.wrong.append(line.text)


@pytest.fixture(scope="module")
def kept(browser: Any) -> Iterator[tuple[Pages, Any]]:
    """A page that one test after the other has, as each new one is a second of work for the browser."""
    pages = Pages(browser)
    yield pages, pages.make()
    pages.close()


@pytest.fixture
def open_page(browser: Any, kept: tuple[Pages, Any]) -> Iterator[Callable[..., Any]]:
    """Open a page that fails the test when a script breaks or something is against the policy."""
    pages, (kept_pages, page) = Pages(browser), kept
    free = [page]

    def open(address: str, **options: Any) -> Any:
        found = free.pop() if free and not options else pages.make(**options)
        found.goto(address)
        return found

    yield open
    pages.close()
    if not free:
        page.evaluate("[sessionStorage, localStorage].forEach(storage => storage.clear())")
        page.context.clear_cookies()
        page.goto("about:blank")
    wrong = pages.wrong + kept_pages.wrong
    kept_pages.wrong.clear()
    assert wrong == []


@pytest.fixture(scope="session")
def shoot() -> Callable[[Any, str], None]:
    """Take the picture of a page that the documentation shows, where a folder for it is named."""

    def take(page: Any, name: str) -> None:
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")

    return take


@pytest.fixture(scope="session")
def serious_faults() -> Callable[[Any], list[str]]:
    """Return what axe finds serious or critical in a page."""
    from axe_playwright_python.sync_playwright import Axe

    def find(page: Any) -> list[str]:
        found = Axe().run(page).response["violations"]
        return [
            f"{each['id']}: {[node['html'] for node in each['nodes']]}"
            for each in found
            if each["impact"] in {"serious", "critical"}
        ]

    return find


@pytest.fixture(scope="module")
def shown_plugins(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin path with the plugins of the examples, of these tests, and one that is broken."""
    folder = tmp_path_factory.mktemp("shown") / "plugins"
    shutil.copytree(plugins / "e2e" / "console", folder)
    for name in ("greeting", "csv-statistics"):
        shutil.copytree(plugins.parents[1] / "plugins_example" / name, folder / name)
    return folder


def _do_without(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
