"""Which module a name means when the plugin and others have one of that name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Case = Callable[..., Any]


@pytest.mark.parametrize("name", ["json", "colorsys"])
def test_the_standard_library_comes_first(namespace_case: Case, name: str) -> None:
    namespace_case(
        {
            "one/interface.py": f"import {name}, helper\nfrom . import {name} as own\nfrom . import {name}",
            "one/helper.py": f"import {name}\nSTANDARD = {name}",
            f"one/{name}.py": "OWN = True",
        },
        f"""
        module = load("one")
        assert module.own.OWN and module.helper.STANDARD is sys.modules["{name}"]
        assert sys.modules["{name}"].__name__ == "{name}"
        import {name}
        assert not hasattr({name}, "OWN")
        """,
    )


def test_a_standard_module_that_this_python_lacks_may_be_the_plugins(namespace_case: Case) -> None:
    absent = "winreg"
    namespace_case(
        {"one/interface.py": f"import {absent}\nassert {absent}.OWN", f"one/{absent}.py": "OWN = True"},
        "load('one')",
    )


def test_an_own_module_comes_before_an_installed_one_and_says_so(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "import shared, single", "one/shared.py": "OWN = True", "one/single.py": ""},
        """
        import logging
        records = []
        handler = logging.Handler()
        handler.emit = lambda record: records.append(record.getMessage())
        logging.getLogger("micro").addHandler(handler)
        assert load("one").shared.OWN
        import shared
        assert shared.INSTALLED
        assert len(records) == 1 and "'one'" in records[0] and "'shared'" in records[0], records
        assert "from . import shared" in records[0]
        """,
        installed={"shared.py": "INSTALLED = True"},
    )


@pytest.mark.parametrize("installed", ["shared/__init__.py", "shared/part.py", "shared.py"])
def test_a_data_folder_does_not_hide_what_is_installed(namespace_case: Case, installed: str) -> None:
    namespace_case(
        {
            "one/interface.py": "import shared\nassert 'site' in str(shared.__spec__)",
            "one/shared/data.csv": "",
        },
        "load('one')",
        installed={installed: ""},
    )


def test_a_plugin_that_ships_micro_gets_the_real_one(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "from micro import PluginBase, PluginDescription\nimport micro_plugins",
            "one/micro/__init__.py": "raise RuntimeError",
            "one/micro_plugins.py": "raise RuntimeError",
        },
        "load('one')",
    )


def test_imports_in_c_code_get_the_standard_modules(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import copy, datetime, pickle, time
                assert time.strptime("2026", "%Y").tm_year == 2026
                assert datetime.datetime.strptime("2026", "%Y").year == 2026
                assert pickle.loads(pickle.dumps(datetime.date(2026, 1, 2), 2)).year == 2026
            """,
            "one/_strptime.py": "raise RuntimeError",
            "one/copyreg.py": "raise RuntimeError",
        },
        "load('one')",
    )


def test_imports_in_c_code_get_the_installed_module(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import pickle, shared
                def run(data):
                    return pickle.loads(data)
            """,
            "one/shared.py": "class Thing: pass",
        },
        """
        import pickle, shared
        run = load("one").run
        assert type(run(pickle.dumps(shared.Thing()))) is shared.Thing
        """,
        installed={"shared.py": "class Thing: pass"},
    )


def test_a_wrapper_of_its_own_name_wraps_the_installed_module(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import shared, again\nassert shared.DOUBLE == 4 and again.DOUBLE == 4",
            "one/shared.py": """
                import shared
                from shared import NUMBER
                DOUBLE = 2 * NUMBER
                def lazily():
                    from shared import NUMBER
                    return NUMBER
                assert lazily() == shared.NUMBER == 2
            """,
            "one/again.py": "from shared import DOUBLE",
        },
        "load('one')",
        installed={"shared.py": "NUMBER = 2"},
    )


def test_a_module_of_a_name_found_nowhere_else_imports_itself(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import config\nassert config.itself is config",
            "one/config.py": "import config as itself",
        },
        "load('one')",
    )


def test_a_library_does_not_find_the_plugins_modules(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import speedups, library\nassert library.speedups is None",
            "one/speedups.py": "",
        },
        "load('one')",
        installed={
            "library.py": """
                try:
                    import speedups
                except ImportError:
                    speedups = None
            """
        },
    )


def test_an_installed_module_that_another_plugin_owns(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import shared\nassert shared.OWN",
            "one/shared.py": "OWN = True",
            "two/interface.py": "import shared, shared as again\nassert shared.INSTALLED and again is shared",
        },
        "load('one'), load('two')",
        installed={"shared.py": "INSTALLED = True"},
    )


def test_nothing_outside_the_namespace_changes(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import utils, importlib, json\nfrom . import utils as same",
            "one/utils.py": "",
        },
        """
        import builtins, json, importlib, logging
        import micro_plugins
        before = list(sys.path), list(sys.meta_path), builtins.__import__, importlib.import_module
        modules = set(sys.modules)
        load("one")
        assert (list(sys.path), list(sys.meta_path), builtins.__import__, importlib.import_module) == before
        new = set(sys.modules) - modules
        assert all(name.startswith("micro_plugins.one") for name in new), new
        """,
    )
