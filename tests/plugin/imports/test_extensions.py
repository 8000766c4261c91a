"""Extension modules in plugin folders, built by the compiler of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Case = Callable[..., Any]

SOURCE = """
#include <Python.h>

static int execute(PyObject *module) {{ return PyModule_AddIntConstant(module, "NUMBER", {number}); }}
static PyModuleDef_Slot slots[] = {{{{Py_mod_exec, execute}}, {{0, NULL}}}};
static struct PyModuleDef definition = {{PyModuleDef_HEAD_INIT, "fast", NULL, 0, NULL, slots}};
PyMODINIT_FUNC PyInit_fast(void) {{ return PyModuleDef_Init(&definition); }}
"""


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str, int], None]:
    """Build the extension module ``fast``, which holds a NUMBER, in a folder."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    include = sysconfig.get_path("include")
    if sys.platform != "linux" or compiler is None or not Path(include, "Python.h").exists():
        pytest.skip("needs a C compiler and Python.h")

    def run(folder: str, number: int) -> None:
        source = tmp_path / f"fast{number}.c"
        source.write_text(SOURCE.format(number=number))
        target = tmp_path / "plugins" / folder / f"fast{sysconfig.get_config_var('EXT_SUFFIX')}"
        target.parent.mkdir(parents=True, exist_ok=True)
        command = [compiler, "-shared", "-fPIC", f"-I{include}", source, "-o", target]
        subprocess.run([os.fspath(each) for each in command], check=True, capture_output=True)

    return run


def test_extensions_of_one_name_are_two_modules(
    namespace_case: Case, build: Callable[[str, int], None]
) -> None:
    build("one", 1)
    build("two", 2)
    namespace_case(
        {
            "one/interface.py": "import fast\nfrom fast import NUMBER",
            "two/interface.py": "from . import fast",
        },
        """
        one, two = load("one"), load("two")
        assert (one.fast.NUMBER, two.fast.NUMBER) == (1, 2)
        assert one.fast.__name__ == "micro_plugins.one.fast" and "fast" not in sys.modules
        """,
    )


def test_an_extension_in_an_own_package(namespace_case: Case, build: Callable[[str, int], None]) -> None:
    build("one/core", 3)
    namespace_case(
        {
            "one/interface.py": "import core.fast\nfrom core.fast import NUMBER\nimport core",
            "one/core/__init__.py": "from .fast import NUMBER",
        },
        "assert load('one').core.fast.NUMBER == load('one').NUMBER == 3",
    )
