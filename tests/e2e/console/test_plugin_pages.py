"""The catalogue, and the page where a plugin is tried, in a real browser."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Open = Callable[..., Any]
RELOAD_MS = 40_000
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


@pytest.fixture(scope="module")
def micro(start_shared_micro: Callable[..., Any], shown_plugins: Path) -> Any:
    return start_shared_micro("-G", "-p", str(shown_plugins))


@pytest.fixture
def catalogue(open_page: Open, micro: Any) -> Any:
    page = open_page(micro.url)
    page.get_by_text("5 plugins").wait_for()
    return page


@pytest.fixture
def try_it(open_page: Open, micro: Any) -> Open:
    """Open the page of a plugin."""

    def open(name: str, **options: Any) -> Any:
        page = open_page(f"{micro.url}/ui/plugin?name={name}", **options)
        page.get_by_role("heading", name="Parameters").wait_for()
        return page

    return open


def run(page: Any) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def shown(page: Any, text: str) -> Any:
    """Return what says so in the result."""
    return page.locator("#result .tree").get_by_text(text, exact=True)


def result(page: Any) -> Any:
    """Return the JSON of the result when it has come."""
    page.get_by_role("tab", name="JSON").click()
    return json.loads(page.locator("#result pre").inner_text())


# The catalogue


def test_all_plugins_are_listed_with_what_they_are(catalogue: Any, shown_plugins: Path, shoot: Any) -> None:
    card = catalogue.get_by_role("listitem").filter(has_text="Expedition")
    assert card.get_by_text("1.2.0").is_visible()
    assert card.get_by_text("Climbs a mountain").is_visible()
    origin = card.get_by_text("From folder …/plugins/expedition")
    origin.wait_for()
    assert origin.get_attribute("title") == f"folder {shown_plugins / 'expedition'}"
    shoot(catalogue, "catalogue")


def test_a_plugin_that_could_not_be_loaded_is_shown_with_the_cause(catalogue: Any) -> None:
    left_out = catalogue.get_by_role("region", name="Left out")
    left_out.get_by_role("heading", name="broken").wait_for()
    assert left_out.get_by_text("No module named 'a_module_that_nobody_has'").is_visible()


def test_a_plugin_is_found_by_a_word_and_still_there_after_a_reload(catalogue: Any) -> None:
    catalogue.get_by_label("Search plugins").fill("table book")
    catalogue.get_by_text("1 of 5 plugins").wait_for()
    catalogue.reload()
    catalogue.get_by_text("1 of 5 plugins").wait_for()
    assert catalogue.locator(".card:visible h2").all_inner_texts() == ["Booking\n2.1.0"]
    catalogue.get_by_label("Search plugins").fill("nothing like it")
    catalogue.get_by_text("No plugin matches").wait_for()


def test_how_to_call_a_plugin_is_filled_in(catalogue: Any, micro: Any) -> None:
    card = catalogue.get_by_role("listitem").filter(has_text="Expedition")
    card.get_by_text("How to call it").click()
    assert f"{micro.url}/run/Expedition" in card.locator("pre").first.inner_text()
    assert '{"camps":8}' in card.locator("pre").first.inner_text()
    card.get_by_role("tab", name="curl").focus()
    catalogue.keyboard.press("ArrowRight")
    assert 'micro.run("Expedition", camps=8)' in card.locator("pre:visible").inner_text()
    catalogue.keyboard.press("ArrowRight")
    assert 'requests.run.delay("Expedition", camps=8)' in card.locator("pre:visible").inner_text()


def test_what_is_shown_as_python_is_what_micro_understands(catalogue: Any, micro: Any) -> None:
    card = catalogue.get_by_role("listitem").filter(has_text="Greeting")
    card.get_by_text("How to call it").click()
    card.get_by_role("tab", name="Python").click()
    shown: dict[str, Any] = {}
    exec(card.locator("pre:visible").inner_text().replace("print(", "found = ("), shown)
    assert shown["found"] == {"msg": "Hello Ada!"}


@pytest.mark.measured
def test_a_plugin_that_is_dropped_into_the_folder_appears(
    open_page: Open, start_micro: Callable[..., Any], shown_plugins: Path, tmp_path: Path
) -> None:
    plugins = tmp_path / "plugins"
    shutil.copytree(shown_plugins / "greeting", plugins / "greeting")
    micro = start_micro("-G", "-p", str(plugins), MICRO_RELOAD="watch")
    page = open_page(micro.url)
    page.get_by_text("1 plugin · generation 1").wait_for()
    # At once, as a folder that is only half there would be a generation of its own.
    shutil.copytree(shown_plugins / "gallery", tmp_path / "gallery").rename(plugins / "gallery")
    page.get_by_text("2 plugins · generation 2").wait_for(timeout=RELOAD_MS)
    page.get_by_role("link", name="Gallery").click()
    page.get_by_label("points").wait_for()


def test_a_page_outlives_a_restart(
    open_page: Open, start_micro: Callable[..., Any], shown_plugins: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    micro = start_micro("-G", "-p", str(tmp_path / "empty"))
    page = open_page(address := micro.url)
    page.get_by_text("0 plugins · generation 1").wait_for()
    micro.stop()
    page.get_by_text("Micro does not answer. Trying again…").wait_for()
    start_micro("-G", "-p", str(shown_plugins), "-b", address.removeprefix("http://"))
    page.get_by_role("link", name="Gallery").wait_for()
    page.get_by_text("Micro does not answer. Trying again…").wait_for(state="detached")


# Trying a plugin


def test_a_form_is_filled_in_and_the_result_shown(try_it: Open) -> None:
    page = try_it("greeting")
    page.get_by_label("name").fill("Ada")
    page.get_by_label("times").fill("2")
    run(page)
    shown(page, "Hello Ada! Hello Ada!").wait_for()
    assert result(page) == {"msg": "Hello Ada! Hello Ada!"}
    assert '{"name":"Ada","times":2}' in page.locator("#call pre").first.inner_text()


def test_an_error_points_at_its_field(try_it: Open) -> None:
    page = try_it("greeting")
    page.get_by_label("times").fill("many")
    run(page)
    page.get_by_text("2 fields need another look.").wait_for()
    name, times = page.get_by_label("name"), page.get_by_label("times")
    assert name.get_attribute("aria-invalid") == times.get_attribute("aria-invalid") == "true"
    assert name.evaluate("field => field === document.activeElement")
    described = times.get_attribute("aria-describedby").split()
    assert "integer" in page.locator(f"#{described[0]}").inner_text()
    name.fill("Ada")
    times.fill("1")
    run(page)
    shown(page, "Hello Ada!").wait_for()
    assert times.get_attribute("aria-invalid") is None


def test_every_kind_of_parameter_has_a_field(try_it: Open) -> None:
    page = try_it("booking")
    assert page.get_by_text("For how many people. · whole number · 1 to 9").is_visible()
    assert page.get_by_text("As <b>many</b> & {{ more }}.").is_visible()
    page.get_by_label("day").fill("2026-03-04")
    page.get_by_role("group", name="guests").get_by_role("button", name="Add").click()
    page.get_by_role("group", name="guests").get_by_label("name").fill("Ada")
    page.get_by_label("table").select_option("outside")
    page.get_by_label("colour").select_option("blue")
    page.get_by_label("at optional").fill("18:30:00")
    page.get_by_label("until").fill("2026-03-04T23:00:00")
    page.get_by_label("price").fill("10.10")
    page.get_by_label("smoking").check()
    assert page.get_by_label("code").get_attribute("type") == "password"
    page.get_by_label("code").fill("secret")
    page.get_by_label("menu").set_input_files({"name": "menu", "mimeType": "text/plain", "buffer": b"soup?>"})
    page.get_by_text("6 bytes chosen").wait_for()
    page.get_by_label("contact").fill("12")
    page.get_by_role("group", name="wishes").get_by_role("button", name="Add").click()
    page.get_by_role("group", name="wishes").get_by_role("textbox").fill("candles")
    page.get_by_label("extra").fill('{"chairs": 2}')
    page.get_by_label("anything").fill("as it comes")
    run(page)
    page.get_by_role("tab", name="JSON").wait_for()
    assert result(page) == {
        "day": "2026-03-04",
        "guests": [{"name": "Ada", "age": None}],
        "seats": 1,
        "table": "outside",
        "colour": "blue",
        "at": "18:30:00",
        "until": "2026-03-04T23:00:00",
        "price": "10.10",
        "smoking": True,
        "code": 6,
        "menu": "c291cD8-",
        "contact": "12",
        "host": None,
        "wishes": ["candles"],
        "extra": {"chairs": 2},
        "anything": "as it comes",
        "place": [1, "window"],
    }


def test_an_example_fills_in_the_form(try_it: Open, shoot: Any) -> None:
    page = try_it("booking")
    page.get_by_role("button", name="Example 2").click()
    run(page)
    page.get_by_role("tab", name="JSON").wait_for()
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "try-it")
    got = result(page)
    assert (got["host"], got["contact"], got["anything"]) == ({"name": "Bo", "age": 40}, 555, "5")
    assert got["until"] == "2026-02-01T23:00:00Z"
    page.get_by_role("button", name="Empty form").click()
    run(page)
    page.get_by_text("1 field").or_(page.get_by_text("One field")).wait_for()
    assert page.get_by_label("day").get_attribute("aria-invalid") == "true"


def test_the_keyboard_stays_where_a_list_is_filled(try_it: Open) -> None:
    page = try_it("booking")
    wishes = page.get_by_role("group", name="wishes")
    for text in ("candles", "music"):
        wishes.get_by_role("button", name="Add").press("Enter")
        page.keyboard.type(text)
    assert [field.input_value() for field in wishes.get_by_role("textbox").all()] == ["candles", "music"]
    wishes.get_by_role("button", name="Move up").last.press("Enter")
    assert [field.input_value() for field in wishes.get_by_role("textbox").all()] == ["music", "candles"]
    wishes.get_by_role("button", name="Remove").first.press("Enter")
    assert wishes.get_by_role("textbox").input_value() == "candles"
    assert wishes.get_by_role("button", name="Add").evaluate("button => button === document.activeElement")


def test_an_error_deep_inside_points_at_its_field(try_it: Open) -> None:
    page = try_it("booking")
    page.get_by_role("button", name="Example 1").click()
    age = page.get_by_role("group", name="guests").get_by_label("age")
    age.fill("old")
    run(page)
    page.get_by_text("One field needs another look.").wait_for()
    assert age.get_attribute("aria-invalid") == "true"


def test_parameters_can_be_given_as_json(try_it: Open) -> None:
    page = try_it("greeting")
    page.get_by_label("name").fill("Ada")
    page.get_by_role("button", name="JSON", exact=True).click()
    field = page.get_by_label("All parameters as a JSON object")
    assert json.loads(field.input_value()) == {"name": "Ada", "times": 1}
    field.fill("[1]")
    run(page)
    page.get_by_text("This is not a JSON object").wait_for()
    field.fill('{"name": "Bo", "nobody": 1}')
    run(page)
    page.get_by_text("nobody: not accepted").wait_for()
    field.fill('{"name": "Bo"}')
    page.get_by_role("button", name="Form", exact=True).click()
    assert page.get_by_label("name").input_value() == "Bo"


def test_a_result_is_shown_as_picture_table_and_plot(try_it: Open, shoot: Any) -> None:
    page = try_it("gallery")
    run(page)
    picture = page.get_by_role("img", name="Picture picture")
    picture.wait_for()
    assert picture.evaluate("image => image.naturalWidth") == 96
    assert page.get_by_role("img", name="Line plot of wave: 60 numbers").is_visible()
    assert page.get_by_role("columnheader").all_inner_texts() == ["city", "km", "coast"]
    assert page.get_by_role("cell", name="990").is_visible()
    assert shown(page, "<b>as it is</b>").is_visible()
    shoot(page, "result")


def test_what_a_plugin_declares_as_its_error_is_told(try_it: Open) -> None:
    page = try_it("expedition")
    page.get_by_label("fall").check()
    run(page)
    page.get_by_role("alert").get_by_text("somebody fell").wait_for()
    page.get_by_role("button", name="Run as a job").click()
    page.get_by_role("alert").get_by_text("No worker is configured").wait_for()


def test_a_plugin_that_is_not_there_is_told(open_page: Open, micro: Any) -> None:
    page = open_page(f"{micro.url}/ui/plugin?name=nobody")
    page.get_by_text("No plugin").or_(page.get_by_text("nobody")).first.wait_for()


# For everybody


def test_a_plugin_is_run_with_the_keyboard_alone(catalogue: Any) -> None:
    catalogue.get_by_label("Search plugins").focus()
    catalogue.keyboard.type("greet")
    catalogue.get_by_text("1 of 5 plugins").wait_for()
    catalogue.keyboard.press("Tab")
    catalogue.keyboard.press("Enter")
    catalogue.get_by_label("name").wait_for()
    catalogue.get_by_label("name").focus()
    catalogue.keyboard.type("Ada")
    catalogue.keyboard.press("Control+Enter")
    shown(catalogue, "Hello Ada!").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    open_page: Open, micro: Any, serious_faults: Callable[[Any], list[str]], scheme: str
) -> None:
    page = open_page(micro.url, color_scheme=scheme)
    page.get_by_text("How to call it").first.click()
    page.get_by_role("tab", name="curl").wait_for()
    assert serious_faults(page) == []
    page.goto(f"{micro.url}/ui/plugin?name=booking")
    page.get_by_role("button", name="Example 1").click()
    run(page)
    page.get_by_role("tab", name="JSON").wait_for()
    page.get_by_label("seats").fill("many")
    run(page)
    page.get_by_text("One field needs another look.").wait_for()
    assert serious_faults(page) == []


def test_it_fits_on_a_phone(try_it: Open, shoot: Any) -> None:
    page = try_it("gallery", **PHONE)
    run(page)
    page.get_by_role("img", name="Picture picture").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shoot(page, "phone")
