"""Every form of import that Python has works inside a plugin folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

Case = Callable[..., Any]

OWN = {
    "one/core/__init__.py": "NAME = 'core'",
    "one/core/part.py": "NAME = 'part'\ndef work(): return 'work'",
    "one/utils.py": "NAME = 'utils'\n_hidden = 1",
    "one/listed.py": "__all__ = ['A', '_b']\nA, _b, C = 1, 2, 3",
}

STATEMENTS = {
    "dotted": """
        import core.part
        assert (core.NAME, core.part.NAME) == ("core", "part")
    """,
    "dotted as": """
        import core.part as p, utils as u
        assert (p.NAME, u.NAME) == ("part", "utils")
    """,
    "from": """
        from core.part import work, NAME as name
        from core import part
        assert (work(), name, part.NAME) == ("work", "part", "part")
    """,
    "in a class": """
        class Holder:
            import utils
            from core import part
        assert (Holder.utils.NAME, Holder.part.NAME) == ("utils", "part")
    """,
    "global": """
        def fetch():
            global utils
            import utils
        fetch()
        assert utils.NAME == "utils"
    """,
    "star": """
        from utils import *
        assert NAME == "utils" and "_hidden" not in globals()
    """,
    "star with __all__": """
        from listed import *
        assert (A, _b) == (1, 2) and "C" not in globals()
    """,
    "relative": """
        from . import utils
        from .core import part
        from .core.part import work
        assert (utils.NAME, part.NAME, work()) == ("utils", "part", "work")
    """,
    "import_module": """
        import importlib
        from importlib import import_module, util
        assert importlib.import_module("core.part").NAME == "part"
        assert import_module(".core.part", __package__).NAME == "part"
        assert import_module("json").__name__ == "json"
        assert importlib.util is util and "util" in dir(importlib)
        import importlib.machinery as machinery
        assert machinery is importlib.machinery
    """,
    "what importlib lacks": """
        try:
            from importlib import surely_not
        except ImportError as err:
            assert "surely_not" in str(err)
    """,
    "pkgutil": """
        import importlib, os, pkgutil
        folder = os.path.dirname(__file__)
        found = {each.name for each in pkgutil.iter_modules([folder])}
        assert found == {"core", "interface", "listed", "utils"}, found
        assert importlib.import_module("utils").NAME == "utils"
        import core
        names = [each.name for each in pkgutil.walk_packages(core.__path__, core.__name__ + ".")]
        assert names == ["micro_plugins.one.core.part"], names
    """,
    "__import__": """
        assert __import__("core.part").part.NAME == "part"
        assert __import__("core.part", fromlist=["NAME"]).NAME == "part"
        assert __import__("utils", globals(), level=1, fromlist=["utils"]) is __import__("utils")
    """,
    "py2-style __import__": """
        assert __import__("utils", globals(), locals(), [], 0).NAME == "utils"
        assert __import__("core.part", globals(), locals(), ["part"], 0).NAME == "part"
        def inside():
            return __import__("utils", globals(), locals(), [], 0)
        assert inside().NAME == "utils"
    """,
    "exec and eval": """
        exec("import utils\\nassert utils.NAME == 'utils'")
        exec("import core.part\\nassert core.part.NAME == 'part'", {})
        assert eval("__import__('utils')").NAME == "utils"
    """,
    "fall-backs": """
        try:
            import surely_not_installed as fast
        except ImportError:
            import utils as fast
        try:
            from utils import surely_not
        except ImportError as err:
            assert "cannot import name 'surely_not'" in str(err)
        try:
            import utils.surely_not
        except ModuleNotFoundError as err:
            assert err.name == "micro_plugins.one.utils.surely_not"
        assert fast.NAME == "utils"
    """,
    "itself": """
        value = 3
        import interface, sys
        assert interface is sys.modules[__name__] and interface.value == 3
    """,
    "bad calls": """
        for call, expected in [
            (lambda: __import__(""), ValueError),
            (lambda: __import__("utils", level=-1), ValueError),
        ]:
            try:
                call()
            except expected:
                pass
            else:
                raise AssertionError(expected)
    """,
    "annotations": """
        from __future__ import annotations
        def run(value: NotDefinedAnywhere) -> None: ...
        assert run.__annotations__ == {"value": "NotDefinedAnywhere", "return": "None"}
    """,
}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_import_form(namespace_case: Case, statement: str) -> None:
    namespace_case({**OWN, "one/interface.py": statement}, "load('one')")


def test_a_module_imports_its_siblings_absolutely_from_any_depth(namespace_case: Case) -> None:
    namespace_case(
        {
            **OWN,
            "one/interface.py": "import core.below.deep",
            "one/core/below/deep.py": """
                import core, utils
                from core.part import NAME
                from ... import utils as relative
                assert relative is utils and core.part.NAME == NAME
            """,
        },
        "load('one')",
    )


def test_circular_imports(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import left\nassert left.right.left is left and left.right.far() == 'left'",
            "one/left.py": "import right\nNAME = 'left'",
            "one/right.py": """
                import left
                def far():
                    from left import NAME
                    return NAME
            """,
        },
        "load('one')",
    )


SOURCES: dict[str, Mapping[str, str]] = {
    "other encoding": {
        "one/interface.py": "import words\nassert words.TEXT == 'Stra\\xdfe', words.TEXT",
        # Written as UTF-8, so the bytes are what latin-1 calls two letters.
        "one/words.py": "# -*- coding: utf-8 -*-\nTEXT = 'Straße'",
    },
    "a module that replaces itself": {
        "one/interface.py": "import lazy\nfrom lazy import answer\nassert lazy.answer == answer == 42",
        "one/lazy.py": """
            import sys
            class Lazy:
                answer = 42
            sys.modules[__name__] = Lazy()
        """,
    },
    "a generated module": {
        "one/interface.py": """
            from pathlib import Path
            try:
                import generated
            except ModuleNotFoundError:
                (Path(__file__).parent / "generated.py").write_text("NAME = 'new'")
                import importlib
                importlib.invalidate_caches()
                import generated
            assert generated.NAME == "new"
        """,
    },
    "a folder without __init__.py": {
        "one/interface.py": "import parts.a\nfrom parts import b\nassert parts.a.b is b",
        "one/parts/a.py": "from . import b",
        "one/parts/b.py": "import parts.a",
    },
    "a module of the name of the main program": {
        "one/interface.py": "import __main__, sys\nassert __main__ is sys.modules['__main__']",
        "one/__main__.py": "raise RuntimeError",
    },
    "a package with __init__.py": {
        "one/__init__.py": "from .words import NAME\nimport words",
        "one/words.py": "NAME = 'one'",
        "one/interface.py": """
            import sys
            package = sys.modules["micro_plugins.one"]
            assert package.NAME == "one" and package.words.NAME == "one"
        """,
    },
    "doctest": {
        "one/utils.py": "def double(x): return 2 * x",
        "one/interface.py": '''
            import doctest, sys

            def run():
                """
                >>> from utils import double
                >>> double(21)
                42
                """

            assert doctest.testmod(sys.modules[__name__], raise_on_error=True).attempted == 2
        ''',
    },
}


@pytest.mark.parametrize("files", SOURCES.values(), ids=SOURCES.keys())
def test_kind_of_module(namespace_case: Case, files: Mapping[str, str]) -> None:
    namespace_case(files, "load('one')")


def test_modules_without_source_import_own_names(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import words\nassert words.utils.NAME == 'utils'",
            "one/words.py": "import utils",
            "one/utils.py": "NAME = 'utils'",
        },
        """
        import py_compile
        source = PLUGINS / "one" / "words.py"
        py_compile.compile(source, source.with_suffix(".pyc"), doraise=True)
        source.unlink()
        assert load("one").words.__file__.endswith("words.pyc")
        """,
    )


def test_what_a_plugin_sets_on_importlib_stays_with_it(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "import importlib\nimportlib.import_module = None"},
        """
        import importlib
        load("one")
        assert importlib.import_module("json").__name__ == "json"
        """,
    )


@pytest.mark.skipif("sys.version_info < (3, 15)", reason="lazy imports came with Python 3.15")
def test_lazy_import_statement(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "lazy import utils\nlazy from core import part",
            "one/utils.py": "NAME = 'utils'",
            "one/core/part.py": "NAME = 'part'",
        },
        """
        module = load("one")
        refresh_builtins(folder("one"))
        assert "micro_plugins.one.utils" not in sys.modules
        assert (module.utils.NAME, module.part.NAME) == ("utils", "part")
        """,
    )
