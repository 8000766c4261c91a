"""Holds the code to the house's measures."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("micro", "micro_plugins", "plugins_example", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if (ROOT / "tests" / "plugins") not in path.parents
)
MOST_LINES_OF_A_FILE = 400
# Tests of one thing stay together, even when they are many.
MOST_LINES_OF_TESTS = 600
MOST_LINES_OF_A_FUNCTION = 60


def test_files_are_short() -> None:
    long = {}
    for path in SOURCES:
        most = MOST_LINES_OF_TESTS if ROOT / "tests" in path.parents else MOST_LINES_OF_A_FILE
        lines = len(path.read_text().splitlines())
        if lines > most:
            long[_name(path)] = f"{lines} lines, {most} are allowed"
    assert long == {}


def test_functions_are_short() -> None:
    long = {
        f"{_name(path)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    }
    assert long == set()


def test_a_module_says_in_its_first_line_what_it_is_for() -> None:
    documented = ("micro", "micro_plugins", "benchmarks")
    modules = [path for path in SOURCES if path.relative_to(ROOT).parts[0] in documented]
    silent = [_name(path) for path in modules if not _first_line(path)]
    assert silent == []


def _first_line(path: Path) -> str:
    return (ast.get_docstring(_tree(path)) or "").partition("\n")[0]


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
