"""Plugins with modules of the same names live side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Case = Callable[..., Any]


def both(files: Mapping[str, str]) -> dict[str, str]:
    """Give the plugins ``one`` and ``two`` these files, with their own name for OWNER."""
    return {
        f"{owner}/{name}": text.replace("OWNER", owner)
        for owner in ("one", "two")
        for name, text in files.items()
    }


@pytest.mark.parametrize(
    "statement",
    ["import utils", "from . import utils", "import importlib; utils = importlib.import_module('utils')"],
)
def test_each_plugin_gets_its_own_module(namespace_case: Case, statement: str) -> None:
    namespace_case(
        both({"interface.py": statement, "utils.py": "NAME = 'OWNER'"}),
        """
        assert [load(name).utils.NAME for name in ("one", "two")] == ["one", "two"]
        assert "utils" not in sys.modules
        assert load("one").utils.__name__ == "micro_plugins.one.utils"
        """,
    )


def test_each_plugin_gets_its_own_package_with_its_submodules(namespace_case: Case) -> None:
    namespace_case(
        both(
            {
                "interface.py": "import core.deep.words\nfrom core.deep import words as same\nimport core",
                "core/__init__.py": "NAME = 'OWNER'",
                "core/deep/__init__.py": "",
                "core/deep/words.py": """
                    import core
                    from ..deep import __name__ as where
                    NAME = core.NAME + "OWNER"
                """,
            }
        ),
        """
        one, two = load("one"), load("two")
        assert (one.core.NAME, one.core.deep.words.NAME) == ("one", "oneone")
        assert (two.core.NAME, two.core.deep.words.NAME) == ("two", "twotwo")
        assert two.same is two.core.deep.words
        """,
    )


def test_a_lazy_import_finds_the_own_module_whoever_loaded_last(namespace_case: Case) -> None:
    namespace_case(
        both(
            {
                "interface.py": """
                    def run():
                        import helper, pack.part
                        from pack import part
                        return helper.NAME, pack.part.NAME, part.NAME
                """,
                "helper.py": "NAME = 'OWNER'",
                "pack/part.py": "NAME = 'OWNER'",
            }
        ),
        """
        one, two = load("one"), load("two")
        assert one.run() == ("one",) * 3
        assert two.run() == ("two",) * 3
        """,
    )


def test_a_plugin_does_not_see_the_modules_of_another(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import only_one",
            "one/only_one.py": "",
            "two/interface.py": """
                def run():
                    import only_one
            """,
        },
        """
        load("one")
        try:
            load("two").run()
        except ModuleNotFoundError as err:
            assert err.name == "only_one", err.name
        else:
            raise AssertionError("found a module of another plugin")
        """,
    )


def test_a_failed_plugin_leaves_the_names_to_the_next(namespace_case: Case) -> None:
    namespace_case(
        {
            "a/interface.py": "import utils, nowhere_to_be_found",
            "a/utils.py": "NAME = 'a'",
            "b/interface.py": "import utils",
            "b/utils.py": "NAME = 'b'",
        },
        """
        try:
            load("a")
        except PluginLoadError as err:
            assert "nowhere_to_be_found" in err.message
        assert load("b").utils.NAME == "b"
        assert not [name for name in sys.modules if name.startswith("micro_plugins.a")]
        """,
    )


def test_plugins_load_in_parallel(namespace_case: Case) -> None:
    names = [f"p{number}" for number in range(8)]
    files = {
        f"{name}/{file}": text
        for name in names
        for file, text in {
            "interface.py": "import utils\nNAME = utils.NAME",
            "utils.py": f"import time\ntime.sleep(0.02)\nimport other\nNAME = other.NAME + {name!r}",
            "other.py": f"import utils\nNAME = {name!r}",
        }.items()
    }
    namespace_case(
        files,
        f"""
        from concurrent.futures import ThreadPoolExecutor
        names = {names!r}
        with ThreadPoolExecutor(16) as pool:
            loaded = list(pool.map(load, names * 2))
        assert [module.NAME for module in loaded] == [name * 2 for name in names * 2]
        """,
    )


def test_every_route_leads_to_one_module_executed_once(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import builtins, importlib, sys
                import counted
                from . import counted as relative
                import micro_plugins.one.counted as absolute
                from micro_plugins.one import counted as from_package
                from importlib import import_module
                import helper

                routes = [
                    counted, relative, absolute, from_package, helper.counted, helper.interface.counted,
                    import_module("counted"), importlib.import_module(".counted", __package__),
                    importlib.import_module("micro_plugins.one.counted"), importlib.__import__("counted"),
                    __import__("counted"), sys.modules["micro_plugins.one.counted"],
                ]
            """,
            "one/helper.py": "import counted, interface",
            "one/counted.py": "import builtins\nbuiltins.executed = getattr(builtins, 'executed', 0) + 1",
        },
        """
        import builtins
        routes = load("one").routes
        assert all(module is routes[0] for module in routes), routes
        assert builtins.executed == 1
        assert load("one") is load("one")
        """,
    )
