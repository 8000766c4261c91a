"""A folder that cannot be imported says why, leaves nothing behind, and loads once repaired."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Case = Callable[..., Any]

FAILURES = {
    "missing module": (
        "import nowhere_to_be_found",
        "ModuleNotFoundError: No module named 'nowhere_to_be_found' (helper.py, line 1)",
    ),
    "missing name": ("from json import nowhere", "ImportError: cannot import name 'nowhere' from 'json'"),
    "syntax": ("\n\nthis is no python", "SyntaxError: invalid syntax (helper.py, line 3)"),
    "no text": ("\n'\0'", "SyntaxError: source code"),
    "exception": (
        "def far():\n    raise ValueError('of\\n  two lines')\nfar()",
        "ValueError: of two lines (helper.py, line 2)",
    ),
    "no message": ("raise ValueError", "ValueError (helper.py, line 1)"),
    "exit": ("import sys\nsys.exit(3)", "SystemExit: 3 (helper.py, line 2)"),
    "base exception": (
        "class Stop(BaseException): pass\nraise Stop('now')",
        "Stop: now (helper.py, line 2)",
    ),
    "unprintable": (
        "class Odd(Exception):\n    def __str__(self): raise self\nraise Odd",
        "Odd: (its message cannot be shown) (helper.py, line 3)",
    ),
    "in a library": ("import broken", "RuntimeError: library (helper.py, line 1)"),
    "a library's syntax": ("import misspelt", "SyntaxError: invalid syntax (helper.py, line 1)"),
    "circle of causes": (
        "a, b = ValueError('a'), ValueError('b')\nb.__cause__ = a\nraise a from b",
        "ValueError: a (helper.py, line 3)",
    ),
}


@pytest.mark.parametrize(("source", "cause"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_is_named_and_mended(namespace_case: Case, source: str, cause: str) -> None:
    namespace_case(
        {
            "my-plugin/interface.py": "import innocent, helper",
            "my-plugin/innocent.py": "",
            "my-plugin/helper.py": "",
        },
        f"""
        helper = PLUGINS / "my-plugin" / "helper.py"
        helper.write_text({source!r})
        modules, path = set(sys.modules), list(sys.path)
        try:
            load("my-plugin")
        except PluginLoadError as err:
            message = err.message
            assert type(err.__cause__).__name__ in message
        start = f"plugin 'my-plugin' in {{PLUGINS / 'my-plugin'}} cannot be imported: "
        assert message.startswith(start + {cause!r}), message
        assert "\\n" not in message
        assert not [name for name in sys.modules if name.startswith("micro_plugins.")]
        assert not hasattr(sys.modules["micro_plugins"], "my_plugin") and sys.path == path

        helper.write_text("REPAIRED = True")
        assert load("my-plugin").helper.REPAIRED
        """,
        installed={"broken.py": "raise RuntimeError('library')", "misspelt.py": "this is no python"},
    )


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "GeneratorExit"])
def test_an_interrupt_passes_and_leaves_nothing(namespace_case: Case, error: str) -> None:
    namespace_case(
        {"one/interface.py": f"import utils\nraise {error}", "one/utils.py": ""},
        f"""
        try:
            load("one")
        except {error}:
            assert not [name for name in sys.modules if name.startswith("micro_plugins.")]
        else:
            raise AssertionError
        """,
    )


def test_a_failing_package_names_its_init(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "", "one/__init__.py": "\n1 / 0"},
        """
        try:
            load("one")
        except PluginLoadError as err:
            assert err.message.endswith("ZeroDivisionError: division by zero (__init__.py, line 2)")
        else:
            raise AssertionError
        """,
    )


def test_an_interface_that_is_gone_is_an_error_of_the_plugin(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": ""},
        """
        one = folder("one")
        (PLUGINS / "one" / "interface.py").unlink()
        try:
            load_folder(one)
        except PluginLoadError as err:
            assert "FileNotFoundError" in err.message
        else:
            raise AssertionError
        """,
    )


def test_a_repair_of_the_same_size_in_the_same_second_is_seen(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "import helper\nassert helper.OK", "one/helper.py": "OK = 0"},
        """
        helper = PLUGINS / "one" / "helper.py"
        os.utime(helper, (10**9, 10**9))
        try:
            load("one")
        except PluginLoadError:
            helper.write_text("OK = 1")
            os.utime(helper, (10**9, 10**9))
        assert load("one").helper.OK
        """,
        env={"PYTHONDONTWRITEBYTECODE": None},
    )
