"""Tools look at plugin modules as at any others: tracebacks, warnings, inspect, coverage, resources."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.measured

Case = Callable[..., Any]


def test_the_traceback_of_a_run_shows_the_plugins_lines(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                def run():
                    import helper
                    return helper.work()
            """,
            "one/helper.py": """
                def work():
                    raise ValueError("bad")  # here
            """,
        },
        """
        import traceback
        try:
            load("one").run()
        except ValueError as err:
            frames = traceback.extract_tb(err.__traceback__)[1:]
        assert [(Path(each.filename).name, each.name) for each in frames] == [
            ("interface.py", "run"), ("helper.py", "work")
        ]
        assert frames[1].line == 'raise ValueError("bad")  # here'
        assert frames[1].filename == str(PLUGINS / "one" / "helper.py")
        """,
    )


def test_a_failed_import_shows_the_plugins_lines_only(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import importlib\nimportlib.import_module('helper')",
            "one/helper.py": """
                try:
                    import deeper
                except ImportError as err:
                    raise RuntimeError("no way on") from err
            """,
            "one/deeper.py": "import nowhere_to_be_found",
        },
        """
        import traceback
        def files(err):
            return [Path(each.filename).name for each in traceback.extract_tb(err.__traceback__)]
        try:
            load("one")
        except PluginLoadError as err:
            assert files(err.__cause__) == ["interface.py", "helper.py"], files(err.__cause__)
            first = err.__cause__.__cause__
            assert files(first) == ["helper.py", "deeper.py"], files(first)
        """,
    )


def test_a_warning_names_the_line_that_imports(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import importlib\nimport aged\nimportlib.import_module('aged_too')\n",
            "one/aged.py": "import warnings\nwarnings.warn('aged', DeprecationWarning, stacklevel=2)",
            "one/aged_too.py": "import old",
        },
        """
        import warnings
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            load("one")
        places = [(Path(each.filename).name, each.lineno) for each in caught]
        assert places == [("interface.py", 2), ("aged_too.py", 1)], places
        """,
        installed={"old.py": "import warnings\nwarnings.warn('old', DeprecationWarning, stacklevel=2)"},
    )


def test_inspect_finds_source_file_and_module(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "import utils", "one/utils.py": "class Thing:\n    size = 3\n"},
        """
        import inspect
        utils = load("one").utils
        assert inspect.getsource(utils.Thing) == "class Thing:\\n    size = 3\\n"
        assert inspect.getsourcefile(utils) == utils.__file__ == str(PLUGINS / "one" / "utils.py")
        assert inspect.getmodule(utils.Thing) is utils
        assert repr(utils) == f"<module 'micro_plugins.one.utils' from {utils.__file__!r}>"
        package = sys.modules["micro_plugins.one"]
        assert package.__file__ == package.__spec__.origin == str(PLUGINS / "one" / "__init__.py")
        """,
    )


def test_coverage_measures_what_it_measures_in_plain_python(namespace_case: Case) -> None:
    pytest.importorskip("coverage")
    namespace_case(
        {
            "one/interface.py": "import utils\nutils.double(1)\nif utils.double(2) == 5:\n    unreached = 1",
            "one/utils.py": "def double(x):\n    return 2 * x\n\ndef never():\n    return 0\n",
        },
        """
        import runpy, subprocess
        from coverage import Coverage

        def lines(work):
            coverage = Coverage(data_file=None, config_file=False, branch=True, source=[str(PLUGINS)])
            coverage.start()
            work()
            coverage.stop()
            data = coverage.get_data()
            return {Path(file).name: sorted(data.arcs(file)) for file in data.measured_files()}

        measured = lines(lambda: load("one"))
        sys.path.insert(0, str(PLUGINS / "one"))
        plain = lines(lambda: runpy.run_path(str(PLUGINS / "one" / "interface.py")))
        assert measured == plain and set(plain) == {"interface.py", "utils.py"}, (measured, plain)
        """,
        env={"COVERAGE_PROCESS_START": None, "COVERAGE_PROCESS_CONFIG": None},
    )


def test_a_breakpoint_gets_the_debugger_that_is_installed(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": "import debugger\nbreakpoint()\nassert not debugger.stops",
            "one/debugger.py": "stops = []\ndef stop(): stops.append('own')",
            "one/pdb.py": "raise RuntimeError",
        },
        """
        load("one")
        import debugger
        assert debugger.stops == ["installed"]
        """,
        installed={"debugger.py": "stops = []\ndef stop(): stops.append('installed')"},
        env={"PYTHONBREAKPOINT": "debugger.stop"},
    )


COUNT_COMPILED = """
compiled = []
def audit(event, arguments):
    if event == "compile" and str(arguments[1]).startswith(str(PLUGINS)):
        compiled.append(arguments[1])
sys.addaudithook(audit)
"""


def test_bytecode_is_written_once_and_plain_python_reads_it_too(namespace_case: Case, tmp_path: Path) -> None:
    files = {
        "one/__init__.py": "",
        "one/interface.py": "import utils, core.part",
        "one/utils.py": "",
        "one/core/__init__.py": "",
        "one/core/part.py": "import utils",
    }
    writing: dict[str, Any] = {"env": {"PYTHONDONTWRITEBYTECODE": None}}
    # Of what was written with its source, seconds ago, nobody knows which version it is.
    age = "for each in PLUGINS.rglob('*.py'): os.utime(each, (10**9, 10**9))\n"
    first = COUNT_COMPILED + age + "load('one')\nassert len(compiled) == 5, compiled"
    namespace_case(files, "import os\n" + first, **writing)
    namespace_case({}, COUNT_COMPILED + "load('one')\nassert not compiled, compiled", **writing)
    plain = (
        COUNT_COMPILED.replace("PLUGINS", f"'{tmp_path}'") + "import interface\nassert not compiled, compiled"
    )
    subprocess.run([sys.executable, "-c", "import sys" + plain], cwd=tmp_path / "plugins" / "one", check=True)


def test_a_folder_that_takes_no_bytecode_loads(namespace_case: Case) -> None:
    namespace_case(
        {"one/interface.py": "import utils", "one/utils.py": "", "one/__pycache__": "a file, not a folder"},
        """
        (PLUGINS / "one").chmod(0o555)
        load("one")
        (PLUGINS / "one").chmod(0o755)
        """,
        env={"PYTHONDONTWRITEBYTECODE": None},
    )


RESOURCES = {
    "one/data.txt": "root",
    "one/assets/data.txt": "assets",
    "one/core/__init__.py": "",
    "one/core/data.txt": "core",
}


RESOURCES_INTERFACE = """
    import pkgutil
    from importlib import resources
    from importlib.resources import files
    from pathlib import Path
    import core, assets

    here = Path(__file__).parent
    assert pkgutil.get_data(__package__, "data.txt") == pkgutil.get_data(__name__, "data.txt") == b"root"
    assert pkgutil.get_data("micro_plugins.one.core", "data.txt") == b"core"
    assert files(__package__).joinpath("data.txt").read_text() == "root"
    assert files(__package__).joinpath("assets", "data.txt").read_text() == "assets"
    assert resources.files(__package__ + ".core").joinpath("data.txt").read_text() == "core"
    assert files(core).joinpath("data.txt").read_text() == "core"
    assert files(assets).joinpath("data.txt").read_text() == "assets"
    assert {"core", "assets", "interface.py"} <= {each.name for each in files("micro_plugins.one").iterdir()}
    assert __spec__.loader.get_data(str(here / "data.txt")) == b"root"
"""


@pytest.mark.parametrize("init", [{}, {"one/__init__.py": ""}], ids=["folder", "package"])
def test_data_files_are_found(namespace_case: Case, init: dict[str, str]) -> None:
    namespace_case({**RESOURCES, **init, "one/interface.py": RESOURCES_INTERFACE}, "load('one')")
