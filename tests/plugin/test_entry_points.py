"""Installed packages offer plugins through the entry points of the group ``micro.plugins``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from micro.config.settings import Settings
from micro.plugin.entry_points import find_packages
from micro.plugin.loading import load_plugins
from micro.plugin.plugin import Plugins
from micro.service import Micro

Install = Callable[..., Path]

TEA = """
    from micro import PluginBase, PluginDescription

    class Tea(PluginBase):
        def run(self):
            return {"from": "a package"}

    plugin = PluginDescription(name="Tea")
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a distribution as pip leaves it: its modules and its ``.dist-info``."""
    before = set(sys.modules)

    def write(
        modules: Mapping[str, str],
        entry_points: str,
        name: str = "tea-package",
        metadata: str = "Version: 1.0\n",
        site: str = "site",
    ) -> Path:
        folder = tmp_path / site
        info = folder / f"{name.replace('-', '_')}.dist-info"
        info.mkdir(parents=True)
        for module, source in modules.items():
            (folder / f"{module}.py").write_text(dedent(source))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\n{metadata}")
        (info / "entry_points.txt").write_text(f"[micro.plugins]\n{entry_points}\n")
        monkeypatch.syspath_prepend(folder)
        return info

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(**settings: Any) -> Plugins:
    return load_plugins(Settings(**settings))


def test_a_package_is_served_as_a_folder_is(install):
    install({"tea_package": TEA}, "tea = tea_package")
    plugins = load()
    assert [plugin.name for plugin in plugins] == ["Tea"]
    assert plugins.find("tea").origin == "package tea-package 1.0"
    assert plugins.failed == []
    assert Micro(Settings(), plugins).run("tea", {}) == '{"from":"a package"}'


def test_packages_come_after_the_folders_and_in_the_order_of_their_entry_points(install, plugin_dir):
    install({"one": TEA.replace("Tea", "Assam"), "two": TEA.replace("Tea", "Sencha")}, "b = one\na = two")
    path = plugin_dir({"z/interface.py": dedent(TEA)})
    assert [plugin.name for plugin in load(plugin_path=(path,))] == ["Tea", "Sencha", "Assam"]


def test_a_folder_wins_over_a_package_and_both_are_named(install, plugin_dir):
    install({"tea_package": TEA}, "tea = tea_package")
    path = plugin_dir({"tea/interface.py": dedent(TEA)})
    plugins = load(plugin_path=(path,))
    assert plugins.find("Tea").origin == f"folder {path / 'tea'}"
    [failure] = plugins.failed
    assert (failure.name, failure.origin) == ("Tea", "package tea-package 1.0")
    assert failure.cause == f"its name 'Tea' is taken by the plugin from folder {path / 'tea'}"


def test_what_a_description_leaves_out_comes_from_the_package(install):
    install(
        {"tea_package": TEA},
        "tea = tea_package",
        metadata="Version: 4.2\nSummary: Brews\nAuthor: Ada\nAuthor-Email: ada@tea.example\nHome-Page: https://tea.example\n",
    )
    tea = load().find("Tea")
    told = (tea.version, tea.summary, tea.author, tea.author_email, tea.url)
    assert told == ("4.2", "Brews", "Ada", "ada@tea.example", "https://tea.example")


def test_the_description_itself_comes_first(install):
    described = TEA.replace('name="Tea"', 'name="Tea", version="0.1", author=""')
    install({"tea_package": described}, "tea = tea_package")
    tea = load().find("Tea")
    assert (tea.version, tea.author) == ("0.1", "")


def test_the_metadata_of_a_modern_project_are_read(install):
    install(
        {"tea_package": TEA},
        "tea = tea_package",
        metadata='Version: 1\nAuthor-email: Ada <ada@tea.example>, "Earl, Grey" <earl@tea.example>\n'
        "Project-URL: Homepage, https://tea.example\nProject-URL: Changelog, https://tea.example/changes\n",
    )
    tea = load().find("Tea")
    told = (tea.author, tea.author_email, tea.url)
    assert told == ("Ada, Earl, Grey", "ada@tea.example, earl@tea.example", "https://tea.example")


def test_metadata_that_say_nothing_leave_nothing(install):
    install({"tea_package": TEA}, "tea = tea_package", metadata="")
    tea = load().find("Tea")
    assert (tea.version, tea.author, tea.author_email, tea.summary, tea.url) == (None,) * 5
    assert tea.origin == "package tea-package"


def test_an_entry_point_may_name_the_description_itself(install):
    install({"tea_package": TEA}, "tea = tea_package:plugin")
    assert load().find("Tea").cls.__name__ == "Tea"


def test_one_package_may_have_several_entry_points(install):
    modules = {"green": TEA.replace("Tea", "Green"), "black": TEA.replace("Tea", "Black")}
    hook = "\nfrom micro import hookimpl\n@hookimpl\ndef micro_start(): ...\n"
    install({name: dedent(source) + hook for name, source in modules.items()}, "green = green\nblack = black")
    plugins = load()
    assert [plugin.name for plugin in plugins] == ["Black", "Green"]
    assert len(plugins.hooks.hook.micro_start.get_hookimpls()) == 2


def test_a_broken_entry_point_does_not_take_its_siblings_along(install):
    install({"tea_package": TEA, "bad": "raise ValueError('no leaves')"}, "tea = tea_package\nbad = bad")
    plugins = load()
    assert [plugin.name for plugin in plugins] == ["Tea"]
    [failure] = plugins.failed
    assert (failure.name, failure.origin) == ("bad", "package tea-package 1.0")
    assert failure.cause == "entry point 'bad': ValueError: no leaves"


@pytest.mark.parametrize(
    ("entry_point", "cause"),
    [
        ("missing", "ModuleNotFoundError: No module named 'missing'"),
        ("tea_package:missing", "AttributeError: module 'tea_package' has no attribute 'missing'"),
        ("tea_package:Tea", "expected a module-level `plugin = PluginDescription(...)`, or hooks"),
        ("tea_package:nothing", "expected a module-level `plugin = PluginDescription(...)`, or hooks"),
        ("not a module", "entry point 'not a module': "),
        ("exits", "SystemExit: 3"),
        ("no_class:plugin", "expected the module to define one PluginBase subclass with run(), found none"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_left_out_with_its_cause(install, entry_point, cause):
    install(
        {
            "tea_package": dedent(TEA) + "nothing = None\n",
            "exits": "raise SystemExit(3)",
            "no_class": "from micro import PluginDescription\nplugin = PluginDescription(name='No Class')",
        },
        f"tea = {entry_point}",
    )
    plugins = load()
    assert list(plugins) == []
    [failure] = plugins.failed
    assert cause in failure.cause


def test_an_interrupt_during_an_import_is_not_a_broken_plugin(install):
    install({"interrupted": "raise KeyboardInterrupt"}, "tea = interrupted")
    with pytest.raises(KeyboardInterrupt):
        load()


def test_one_module_under_two_names_is_loaded_once(install):
    install({"tea_package": TEA}, "green = tea_package\ntea = tea_package")
    plugins = load()
    assert [plugin.name for plugin in plugins] == ["Tea"]
    assert [(each.name, each.cause) for each in plugins.failed] == [
        ("tea", "it is loaded already, as green (package tea-package 1.0)")
    ]
    assert plugins.hooks.has_plugin("green (package tea-package 1.0)")


def test_of_two_copies_of_a_distribution_the_first_on_the_path_counts(install):
    install({}, "old = tea_package", name="Tea_Package", metadata="Version: 1\n", site="later")
    install({}, "tea = tea_package", metadata="Version: 2\n", site="earlier")
    assert [(each.name, each.version) for each in find_packages()] == [("tea", "2")]


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("entry_points.txt", b"\xff\xfe"),
        ("entry_points.txt", b"[micro.plugins]\nno value\n"),
        ("METADATA", b"\xff"),
    ],
)
def test_an_unreadable_distribution_is_warned_of_and_hides_no_other(install, caplog, file, content):
    info = install({}, "bad = bad", name="bad-package")
    (info / file).write_bytes(content)
    install({"tea_package": TEA}, "tea = tea_package", site="other")
    with caplog.at_level(logging.WARNING, "micro"):
        plugins = load()
    assert [plugin.name for plugin in plugins] == ["Tea"]
    [line] = [each.getMessage() for each in caplog.records]
    assert line.startswith(f"An installed package cannot be read ({info}): ")


def test_a_distribution_without_metadata_is_unreadable_too(install, caplog):
    info = install({"tea_package": TEA}, "tea = tea_package")
    (info / "METADATA").unlink()
    assert list(load()) == []
    assert "An installed package cannot be read" in caplog.text


@pytest.mark.parametrize("lists", [{"disable_plugins": ("tea",)}, {"load_plugins": ("other",)}])
def test_the_lists_hold_for_packages_by_entry_point_and_by_plugin(install, lists):
    install({"tea_package": TEA.replace('"Tea"', '"Other"'), "milk": "raise SystemExit"}, "tea = tea_package")
    plugins = load(**lists)
    assert [plugin.name for plugin in plugins] == (["Other"] if "load_plugins" in lists else [])
    assert plugins.failed == []


def test_a_denied_package_is_not_imported(install):
    install({"tea_package": TEA}, "tea = tea_package")
    load(disable_plugins=("tea",))
    assert "tea_package" not in sys.modules
