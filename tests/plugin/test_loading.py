"""Plugins of folders and packages are loaded side by side, and a bad one never hurts the others."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from micro.config.settings import Settings
from micro.errors import ConfigError, PluginNotFound
from micro.plugin.imports import folders
from micro.plugin.loading import load_plugins
from micro.plugin.names import slug
from micro.plugin.plugin import Plugins

CAUSES = {
    "bad_syntax": "SyntaxError: expected ':' (interface.py, line 4)",
    "blank_name": "expected PluginDescription to have a name",
    "exits_on_import": "SystemExit: a licence is needed (interface.py, line 3)",
    "missing_dependency": "No module named 'surely_not_installed' (interface.py, line 1)",
    "no_class": "expected the module to define one PluginBase subclass with run(), found none",
    "no_interface": "it holds no interface.py, but plugin.py describes a plugin; name that file interface.py",
    "no_name": "expected PluginDescription to have a name",
    "nothing_but_plugins": "it holds no interface.py, its folder inner does; add ",
    "no_plugin": "expected a module-level `plugin = PluginDescription(...)`, or hooks; found neither",
    "no_run": "expected `instance` to be a PluginBase subclass with run(), found <class",
    "not_a_description": "expected a PluginDescription, found dict",
    "not_a_pluginbase": "expected `instance` to be a PluginBase subclass with run(), found <class",
    "offers_and_exits": "SystemExit: no models here",
    "offers_and_raises": "LookupError: no models here",
    "offers_none": "expected micro_plugins() to return PluginDescriptions, found None",
    "offers_one_and_raises": "LookupError: the second is gone",
    "offers_rubbish": "expected a PluginDescription, found str",
    "raises_on_import": "RuntimeError: the model file is gone (helper.py, line 1)",
    "two_classes_without_instance": "one PluginBase subclass with run(), found One, Two",
    "unknown_hook": "unknown hook 'micro_rum'; did you mean 'micro_run'?",
    "wrapped_start": "hook 'micro_start' cannot be wrapped, micro_run can",
    "wrapper_without_yield": "Declared as wrapper=True or hookwrapper=True but function is not a generator",
    "wrong_hook_argument": "Argument(s) {'parameters'} are declared in the hookimpl but can not be found",
}
GOOD = {
    "one_hook_one_plugin": ["Solo"],
    "plain": ["Plain"],
    "several": ["Circle", "Square"],
}


@pytest.fixture(scope="module")
def loading(plugins: Path) -> Iterator[tuple[Plugins, set[str]]]:
    """The good and the broken plugins, loaded together, and the packages that were imported then."""
    loaded = load_plugins(Settings(plugin_path=(plugins / "good", plugins / "broken")))
    # Other tests of this file uninstall all packages.
    yield loaded, {name.split(".")[1] for name in sys.modules if name.startswith("micro_plugins.")}
    folders.uninstall()


@pytest.fixture(scope="module")
def loaded(loading: tuple[Plugins, set[str]]) -> Plugins:
    return loading[0]


@pytest.fixture
def write(plugin_dir):
    """Write a plugin of this name into a folder; several write several."""

    def one(folder: str, name: str, more: str = "") -> Path:
        return plugin_dir(
            {
                f"{folder}/interface.py": "from micro import PluginBase, PluginDescription, hookimpl\n"
                "class Plugin(PluginBase):\n"
                f"    def run(self): return {{'from': {folder!r}}}\n"
                f"plugin = PluginDescription(name={name!r})\n" + dedent(more)
            }
        )

    yield one
    folders.uninstall()


def names(plugins: Plugins) -> list[str]:
    return [plugin.name for plugin in plugins]


def test_the_good_plugins_are_served_in_the_order_of_their_folders(loaded):
    assert names(loaded) == [name for folder in sorted(GOOD) for name in GOOD[folder]]


@pytest.mark.parametrize("folder", CAUSES)
def test_a_broken_plugin_is_left_out_with_its_cause(loaded, plugins, folder):
    [failure] = [each for each in loaded.failed if each.name == folder]
    assert failure.origin == f"folder {plugins / 'broken' / folder}"
    assert CAUSES[folder] in failure.cause
    assert "\n" not in failure.cause


def test_nothing_else_is_left_out(loaded):
    assert {each.name for each in loaded.failed} == {*CAUSES, "Plain"}


def test_of_two_plugins_of_one_name_the_first_counts_and_both_are_named(loaded, plugins):
    [failure] = [each for each in loaded.failed if each.name == "Plain"]
    first = f"folder {plugins / 'good' / 'plain'}"
    assert loaded.find("Plain").origin == first
    assert failure.origin == f"folder {plugins / 'broken' / 'z_duplicate_name'}"
    assert failure.cause == f"its name 'Plain' is taken by the plugin from {first}"


def test_nothing_of_a_broken_plugin_stays_imported(loading):
    _, packages = loading
    assert packages == {*GOOD, "hooks_only"}


def test_nothing_of_a_broken_plugin_stays_hooked(loaded, plugins):
    hooked = {name for name, _ in loaded.hooks.list_name_plugin()}
    assert hooked == {
        "micro.plugin.execution",
        *(f"{folder} (folder {plugins / 'good' / folder})" for folder in (*GOOD, "hooks_only")),
    }


def test_each_failure_is_one_line_of_the_log_and_its_traceback_is_for_debugging(write, caplog):
    path = write("bad", "Bad", "raise ValueError('no model')")
    with caplog.at_level(logging.DEBUG, "micro"):
        load_plugins(Settings(plugin_path=(path,)))
    [line] = [each for each in caplog.records if each.levelno > logging.DEBUG]
    cause = f"plugin 'bad' in {path / 'bad'} cannot be imported: ValueError: no model (interface.py, line 5)"
    assert line.getMessage() == f"Plugin 'bad' (folder {path / 'bad'}) was left out: {cause}"
    assert line.exc_info is None
    assert any(each.exc_info for each in caplog.records if each.levelno == logging.DEBUG)


def test_a_plugin_that_was_mended_loads(write):
    path = write("bad", "Bad", "raise ValueError('no model')")
    assert names(load_plugins(Settings(plugin_path=(path,)))) == []
    write("bad", "Mended")
    assert names(load_plugins(Settings(plugin_path=(path,)))) == ["Mended"]


def test_a_folder_whose_interface_imports_micro_offers_no_plugin_by_that(plugin_dir, load):
    micro = load({"a/interface.py": "from micro import *\nfrom micro import PluginBase\n"})
    assert [each.name for each in micro.loaded.failed] == ["a"]


def test_a_plugin_path_that_is_not_there_is_an_error_of_configuration(tmp_path):
    with pytest.raises(ConfigError, match="expected a folder, found nothing"):
        load_plugins(Settings(plugin_path=(tmp_path / "missing",)))


def test_no_plugin_path_means_no_folder_plugins():
    assert [plugin for plugin in load_plugins(Settings()) if plugin.source.folder] == []


def test_a_class_imported_from_a_helper_is_not_taken_for_the_plugin_itself(load):
    micro = load(
        {
            "a/base.py": """
                from micro import PluginBase

                class Base(PluginBase):
                    def run(self):
                        return {}
            """,
            "a/interface.py": """
                from base import Base
                from micro import PluginDescription

                class Own(Base):
                    pass

                plugin = PluginDescription(name="Own")
            """,
        }
    )
    assert micro.loaded.find("Own").cls.__name__ == "Own"


def test_two_plugins_of_one_folder_under_one_name_are_told_apart_in_the_report(load):
    micro = load(
        {
            "a/interface.py": """
                from micro import PluginBase, PluginDescription, hookimpl

                class One(PluginBase):
                    def run(self):
                        return {}

                @hookimpl
                def micro_plugins():
                    return [PluginDescription(One, "One"), PluginDescription(One, "One")]
            """
        }
    )
    assert names(micro.loaded) == ["One"]
    [failure] = micro.loaded.failed
    assert failure.cause.startswith("its name 'One' is taken")


@pytest.mark.parametrize("asked", ["Example Plugin", "EXAMPLE plugin", "example-plugin", "Example_Plugin"])
def test_a_name_is_found_regardless_of_case_and_in_url_form(write, asked):
    plugins = load_plugins(Settings(plugin_path=(write("folder", "Example Plugin"),)))
    assert plugins.find(asked).name == "Example Plugin"


@pytest.mark.parametrize(
    ("asked", "found"),
    [("Tea", "Tea"), ("tea", "tea"), ("a b", "A B"), ("A-B", "a-b"), ("green_tea", "Green Tea")],
)
def test_the_closest_match_counts(write, asked, found):
    for number, name in enumerate(["Tea", "tea", "A B", "a-b", "Green Tea"]):
        path = write(f"p{number}", name)
    assert load_plugins(Settings(plugin_path=(path,))).find(asked).name == found


@pytest.mark.parametrize(("asked", "first", "second"), [("tea", "TEA", "Tea"), ("a_b", "A B", "A-B")])
def test_an_ambiguous_name_is_not_found_and_the_candidates_are_named(write, asked, first, second):
    write("one", second)
    path = write("two", first)
    with pytest.raises(PluginNotFound) as caught:
        load_plugins(Settings(plugin_path=(path,))).find(asked)
    sentence = f"plugin not found: {asked!r} may be any of {first!r}, {second!r}; use the exact name"
    assert caught.value.message == sentence


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("exmaple plugn", "plugin not found: 'exmaple plugn'; did you mean 'Example Plugin'?"),
        ("C#", "plugin not found: 'C#'; GET /plugins or `micro plugins` lists them"),
        ("", "plugin not found: ''; GET /plugins or `micro plugins` lists them"),
        ("!?", "plugin not found: '!?'; GET /plugins or `micro plugins` lists them"),
    ],
)
def test_an_unknown_name_is_answered_with_the_next_step(write, asked, message):
    write("example", "Example Plugin")
    write("cpp", "C++")
    path = write("marks", "???")
    with pytest.raises(PluginNotFound) as caught:
        load_plugins(Settings(plugin_path=(path,))).find(asked)
    assert caught.value.message == message


def test_a_name_is_unknown_where_no_plugin_is_loaded(tmp_path):
    with pytest.raises(PluginNotFound, match="'tea'; no plugin is loaded"):
        load_plugins(Settings(plugin_path=(tmp_path,))).find("tea")


@pytest.mark.parametrize(
    ("name", "form"),
    [("Example Plugin", "example-plugin"), ("C++", "c"), ("Ünï_Çode 2", "ünï-çode-2"), ("???", "")],
)
def test_the_url_form_of_a_name(name, form):
    assert slug(name) == form


IMPORT_MARK = "open(__file__ + '.imported', 'w').close()"


@pytest.mark.parametrize("listed", ["tea", "TEA", "tea-folder", "Tea_Folder"])
def test_a_denied_plugin_is_not_served_by_whichever_name_it_is_denied(write, listed):
    write("tea-folder", "Tea")
    path = write("milk", "Milk")
    settings = Settings(plugin_path=(path,), disable_plugins=(listed,))
    plugins = load_plugins(settings)
    assert names(plugins) == ["Milk"]
    assert plugins.failed == []
    assert not [name for name, _ in plugins.hooks.list_name_plugin() if "tea" in name]


@pytest.mark.parametrize("listed", ["tea", "TEA", "tea-folder", "Tea_Folder"])
def test_only_allowed_plugins_are_served_by_whichever_name_they_are_allowed(write, listed):
    write("tea-folder", "Tea")
    path = write("milk", "Milk")
    plugins = load_plugins(Settings(plugin_path=(path,), load_plugins=(listed,)))
    assert names(plugins) == ["Tea"]
    assert "micro_plugins.milk" not in sys.modules


def test_what_is_denied_by_its_folder_is_not_even_imported(write):
    path = write("tea", "Earl Grey", IMPORT_MARK)
    load_plugins(Settings(plugin_path=(path,), disable_plugins=("tea",)))
    assert not (path / "tea" / "interface.py.imported").exists()


def test_what_is_not_allowed_is_not_imported_when_every_listed_name_is_a_folder(write):
    write("milk", "Milk")
    path = write("tea", "Earl Grey", IMPORT_MARK)
    load_plugins(Settings(plugin_path=(path,), load_plugins=("milk",)))
    assert not (path / "tea" / "interface.py.imported").exists()


def test_an_empty_allow_list_loads_nothing(write):
    path = write("tea", "Tea", IMPORT_MARK)
    assert names(load_plugins(Settings(plugin_path=(path,), load_plugins=()))) == []
    assert not (path / "tea" / "interface.py.imported").exists()


def test_the_deny_list_is_stronger_than_the_allow_list(write):
    path = write("tea", "Tea")
    settings = Settings(plugin_path=(path,), load_plugins=("tea",), disable_plugins=("tea",))
    assert names(load_plugins(settings)) == []


def test_the_lists_hold_for_hooks_without_plugins_too(write, plugin_dir):
    path = plugin_dir({"hooks/interface.py": "from micro import hookimpl\n@hookimpl\ndef micro_app(): ...\n"})
    write("tea", "Earl Grey")
    plugins = load_plugins(Settings(plugin_path=(path,), load_plugins=("earl-grey",)))
    assert names(plugins) == ["Earl Grey"]
    assert plugins.hooks.hook.micro_app.get_hookimpls() == []


def test_a_folder_that_is_denied_need_not_be_a_plugin(write):
    path = write("tea", "Tea")
    (path / "tea" / "interface.py").rename(path / "tea" / "plugin.py")
    assert [each.name for each in load_plugins(Settings(plugin_path=(path,))).failed] == ["tea"]
    assert load_plugins(Settings(plugin_path=(path,), disable_plugins=("tea",))).failed == []


@pytest.mark.parametrize("setting", ["load_plugins", "disable_plugins"])
def test_a_listed_name_that_nothing_has_is_warned_of(write, caplog, setting):
    path = write("tea", "Tea")
    load_plugins(Settings(plugin_path=(path,), **{setting: ("Tea", "coffee")}))
    assert [each.getMessage() for each in caplog.records] == [
        f"Setting {setting} names 'coffee', but no plugin, folder or package has that name"
    ]


def test_a_denied_name_is_not_called_unknown_when_not_everything_was_imported(write, caplog):
    path = write("tea", "Tea")
    load_plugins(Settings(plugin_path=(path,), load_plugins=("tea",), disable_plugins=("Earl Grey",)))
    assert caplog.records == []
