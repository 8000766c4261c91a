"""Holds the code to the house's measures."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text()
    most = MOST_LINES_OF_TESTS if ROOT / "tests" in path.parents else MOST_LINES_OF_A_FILE
    assert len(text.splitlines()) <= most
    long = [
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > MOST_LINES_OF_A_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if path.parts[len(ROOT.parts)] in ("micro", "micro_plugins", "benchmarks")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_a_module_says_in_its_first_line_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert docstring.partition("\n")[0]
