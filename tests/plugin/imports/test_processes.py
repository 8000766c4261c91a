"""Plugin modules in threads, pickles, and other processes."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Case = Callable[..., Any]

POINT = {
    "one/interface.py": "from shapes import Point, Trouble\nfrom work import double, fail",
    "one/shapes.py": """
        from dataclasses import dataclass

        @dataclass
        class Point:
            x: int

        class Trouble(Exception):
            pass
    """,
    "one/work.py": """
        from shapes import Point, Trouble

        def double(point):
            from late import FACTOR
            return Point(FACTOR * point.x)

        def fail(point):
            raise Trouble(point.x)
    """,
    "one/late.py": "FACTOR = 2",
}


def test_threads_meet_in_slow_circular_imports(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                def run(barrier, first):
                    barrier.wait()
                    if first:
                        import left, right
                    else:
                        import right, left
                    return left.later(), right.later()
            """,
            "one/left.py": """
                import time
                time.sleep(0.05)
                import right
                def later():
                    return right.NAME
                NAME = "left"
            """,
            "one/right.py": """
                import time
                time.sleep(0.05)
                import left
                def later():
                    return left.NAME
                NAME = "right"
            """,
        },
        """
        from concurrent.futures import ThreadPoolExecutor
        from threading import Barrier
        run, barrier = load("one").run, Barrier(8)
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(run, [barrier] * 8, [number % 2 for number in range(8)]))
        assert results == [("right", "left")] * 8, results
        """,
    )


def test_a_thread_pool_imports_own_modules(namespace_case: Case) -> None:
    namespace_case(
        {
            **POINT,
            "one/interface.py": """
                import importlib
                from concurrent.futures import ThreadPoolExecutor
                from work import double
                from shapes import Point

                with ThreadPoolExecutor(2) as pool:
                    modules = list(pool.map(importlib.import_module, ["late", "work", "json"]))
                    assert pool.submit(__import__, "late").result() is modules[0]
                    assert pool.submit(double, Point(21)).result() == Point(42)
                assert [each.__name__.rpartition(".")[2] for each in modules] == ["late", "work", "json"]
            """,
        },
        "load('one')",
    )


@pytest.mark.parametrize("variable", ["MICRO_PLUGIN_PATH", "_MICRO_PLUGIN_PATH"])
def test_another_process_reads_a_pickle(namespace_case: Case, tmp_path: Path, variable: str) -> None:
    namespace_case(
        POINT,
        """
        import pickle
        Point = load("one").Point
        assert pickle.loads(pickle.dumps(Point(21))) == Point(21)
        Path("point.pickle").write_bytes(pickle.dumps(Point(21)))
        """,
    )
    reader = "import pickle; print(pickle.load(open('point.pickle', 'rb')))"
    path = os.pathsep.join(["", "/nowhere", str(tmp_path / "plugins")])
    done = namespace_case({}, command=["-c", reader], env={variable: path})
    assert done.stdout.strip() == "Point(x=21)"


def test_a_process_without_plugin_paths_says_what_is_missing(namespace_case: Case) -> None:
    done = namespace_case(
        POINT,
        command=[
            "-c",
            "import micro_plugins\ntry: import micro_plugins.one\nexcept ImportError as err: print(err)",
        ],
        env={"MICRO_PLUGIN_PATH": None},
    )
    assert "No module named 'micro_plugins.one'" in done.stdout


def test_type_hints_and_dataclasses_resolve(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                from __future__ import annotations
                import typing
                from dataclasses import dataclass, fields
                from shapes import Shape

                @dataclass
                class Picture:
                    shapes: list[Shape]

                def run(shape: Shape) -> "Picture": ...

                assert typing.get_type_hints(run) == {"shape": Shape, "return": Picture}
                assert typing.get_type_hints(Picture) == {"shapes": list[Shape]}
            """,
            "one/shapes.py": "class Shape: pass",
        },
        "load('one')",
    )


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_child_processes_run_the_plugins_functions(namespace_case: Case, method: str) -> None:
    namespace_case(
        POINT,
        f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        context = multiprocessing.get_context({method!r})
        one = load("one")

        with ProcessPoolExecutor(1, mp_context=context) as pool:
            assert pool.submit(one.double, one.Point(21)).result() == one.Point(42)
            failure = pool.submit(one.fail, one.Point(3)).exception()
            assert type(failure) is one.Trouble and failure.args == (3,)

        queue = context.SimpleQueue()
        process = context.Process(target=queue.put, args=(one.Point(5),))
        process.start()
        assert queue.get() == one.Point(5)
        process.join()
        assert process.exitcode == 0
        """,
    )


def test_a_plugin_starts_processes_itself(namespace_case: Case) -> None:
    namespace_case(
        {
            **POINT,
            "one/interface.py": """
                from concurrent.futures import ProcessPoolExecutor
                from multiprocessing import get_context
                import work
                from shapes import Point

                def run():
                    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                        return pool.submit(work.double, Point(21)).result().x
            """,
        },
        "assert load('one').run() == 42",
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_process_imports_lazily(namespace_case: Case) -> None:
    namespace_case(
        POINT,
        """
        one = load("one")
        child = os.fork()
        if not child:
            os._exit(one.double(one.Point(21)).x)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 42
        """,
    )


def test_a_module_runs_with_dash_m(namespace_case: Case, tmp_path: Path) -> None:
    done = namespace_case(
        {
            **POINT,
            "one/tool.py": """
                import sys
                from . import late
                from .work import double
                from .shapes import Point
                print(__name__, __package__, late.FACTOR, double(Point(4)).x, sys.argv[1:])
            """,
        },
        command=["-m", "micro_plugins.one.tool", "argument"],
        env={"MICRO_PLUGIN_PATH": str(tmp_path / "plugins")},
    )
    assert done.stdout.strip() == "__main__ micro_plugins.one 2 8 ['argument']"


def test_a_module_run_with_dash_m_stays_when_micro_starts_in_it(namespace_case: Case, tmp_path: Path) -> None:
    namespace_case(
        {
            **POINT,
            "one/tool.py": """
                from pathlib import Path
                from micro.plugin.imports.folders import find_folders, install, load_folder
                from .shapes import Point

                paths = [Path("plugins")]
                install(paths)
                assert load_folder(find_folders(paths)[0]).Point is Point
            """,
        },
        command=["-m", "micro_plugins.one.tool"],
        env={"MICRO_PLUGIN_PATH": str(tmp_path / "plugins")},
    )


def test_the_folder_also_runs_with_plain_python(namespace_case: Case, tmp_path: Path) -> None:
    namespace_case(
        {**POINT, "one/interface.py": "import work\nprint(work.double(work.Point(21)).x)"}, "load('one')"
    )
    script = tmp_path / "plugins" / "one" / "interface.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "42"


def test_installing_exports_the_paths_to_children_only_and_uninstalling_undoes_it(
    namespace_case: Case,
) -> None:
    namespace_case(
        POINT,
        """
        import subprocess
        assert "MICRO_PLUGIN_PATH" not in os.environ
        child = [sys.executable, "-c", "from micro_plugins.one.shapes import Point; print(Point(1))"]
        assert subprocess.run(child, capture_output=True, check=True).stdout.strip() == b"Point(x=1)"
        load("one")
        uninstall()
        assert "_MICRO_PLUGIN_PATH" not in os.environ
        assert not [name for name in sys.modules if name.startswith("micro_plugins.")]
        assert subprocess.run(child, capture_output=True).returncode == 1
        uninstall()
        """,
        env={"MICRO_PLUGIN_PATH": None},
    )
