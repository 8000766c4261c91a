"""The console's pages and assets as they are sent: no data in them, small, and kept by browsers."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from micro.api.rest import create_app
from micro.web import console

Get = Callable[..., TestResponse]
HOME = Path(console.__file__).parent
PATHS = ["/", *(f"/ui/{page}" for page in console.PAGES)]
FIRST_PAGE_BYTES = 250_000


@pytest.fixture
def get(load: Callable[..., object], interface: Callable[..., str]) -> Get:
    micro = load({"hidden/interface.py": interface("def run(self): ...", "Hidden")})
    return partial(create_app(micro=micro).test_client().get, buffered=True)


def linked(page: TestResponse) -> list[str]:
    """Return the addresses of what the page loads, without the dots that make them relative."""
    found = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.text)
    return [f"/{each.lstrip('./')}" for each in found]


def loaded(get: Get, path: str) -> set[str]:
    """Return everything that a browser loads for the page: what it links, and what scripts import."""
    pending, seen = linked(get(path)), set[str]()
    while pending:
        address = pending.pop()
        if address in seen:
            continue
        seen.add(address)
        if address.endswith(".js"):
            imported = re.findall(r'from "\./([^"]+)"', get(address).text)
            pending += [f"{address.rpartition('/')[0]}/{each}" for each in imported]
    return seen


@pytest.mark.parametrize("path", PATHS)
def test_a_page_and_all_that_it_loads_is_there_and_small(get: Get, path: str) -> None:
    page = get(path)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    packed = {"Accept-Encoding": "gzip"}
    answers = [get(path, headers=packed), *(get(each, headers=packed) for each in loaded(get, path))]
    assert {each.status_code for each in answers} == {200}
    assert sum(len(each.data) for each in answers) < FIRST_PAGE_BYTES


@pytest.mark.parametrize("path", PATHS)
def test_a_page_names_all_that_its_scripts_import(get: Get, path: str) -> None:
    assert loaded(get, path) == set(linked(get(path)))


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_data_and_no_code_in_it(get: Get, path: str) -> None:
    page = get(path)
    assert "Hidden" not in page.text
    assert not re.search(r"<script(?![^>]* src=)|<style| on\w+=| style=", page.text)
    rules = dict(rule.strip().split(" ", 1) for rule in page.headers["Content-Security-Policy"].split(";"))
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == "'none'"
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_addresses_are_relative_so_that_a_proxy_may_put_the_console_below_a_prefix(get: Get) -> None:
    for path, dots in [(path, "./" if path == "/" else "../") for path in PATHS]:
        addresses = re.findall(r'(?:src|href)="([^"#]+)"', get(path).text)
        assert addresses and all(each.startswith(dots) for each in addresses)


def test_a_browser_keeps_assets_for_ever_and_asks_for_pages_again(get: Get) -> None:
    page = get("/")
    assert page.headers["Cache-Control"] == "no-cache"
    again = get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    for address in loaded(get, "/"):
        assert re.fullmatch(r"/ui/assets/[0-9a-f]{16}/[\w.-]+", address)
        assert "immutable" in get(address).headers["Cache-Control"]


def test_the_address_of_assets_is_made_from_what_is_in_them(get: Get) -> None:
    digest = linked(get("/"))[0].split("/")[3]
    assert get(f"/ui/assets/{digest}/icon.svg").status_code == 200
    assert get(f"/ui/assets/{'0' * 16}/icon.svg").status_code == 404


def test_assets_are_packed_for_those_who_take_it(get: Get) -> None:
    address = next(each for each in linked(get("/")) if each.endswith("base.css"))
    plain = get(address)
    packed = get(address, headers={"Accept-Encoding": "gzip, br"})
    refused = get(address, headers={"Accept-Encoding": "gzip;q=0"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == refused.data
    assert len(packed.data) < len(plain.data) / 2
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in plain.headers["Vary"]


@pytest.mark.parametrize("path", ["/ui/nothing", "/ui/base", "/ui/assets/x/y", "/ui/", "/ui/..%2fconsole.py"])
def test_anything_else_is_a_404_as_everywhere(get: Get, path: str) -> None:
    answer = get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_the_console_can_be_turned_off(load: Callable[..., object]) -> None:
    client = create_app(micro=load({}, console=False)).test_client()  # type: ignore[arg-type]
    for path in PATHS:
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_every_english_text_is_in_one_place_and_used() -> None:
    files = [*(HOME / "assets").iterdir(), *(HOME / "templates").iterdir()]
    sources = "".join(path.read_text() for path in files)
    named = set(re.findall(r"[\w-]+", sources))
    unused = [name for name in _names(json.loads((HOME / "texts.json").read_text())) if name not in named]
    assert unused == []


def _names(texts: dict[str, object], path: tuple[str, ...] = ()) -> list[str]:
    # Members of these are looked up by what the service says.
    if path and path[-1] in {"hints", "kinds", "states", "titles"}:
        return []
    return [
        each
        for name, value in texts.items()
        for each in (_names(value, (*path, name)) if isinstance(value, dict) else [name])
    ]


@pytest.mark.parametrize("path", sorted((HOME / "assets").glob("*.js")), ids=lambda path: path.name)
def test_a_script_is_short_and_says_what_it_is_for(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= 400
    assert lines[0].startswith("// ")


def test_the_licence_comes_with_the_form_library() -> None:
    assert (HOME / "vendor" / "jedison" / "LICENSE").exists()
    assert "jedison" in (HOME / "vendor" / "README.md").read_text()
