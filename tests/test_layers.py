"""Imports point one way, down the house; what is heavy is loaded only by those that need it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import micro

ROOT = Path(micro.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# From the top of the house to its bottom; a module may import from its own floor and from those below.
FLOORS = (
    ("micro.__main__", "micro.testing"),
    ("micro.cli",),
    ("micro.server",),
    ("micro.web", "micro.api.rest.jobs", "micro.api", "micro.client"),
    ("micro.jobs",),
    ("micro.service",),
    ("micro.plugin",),
    ("micro.contract",),
    ("micro.runtime", "micro.ready", "micro.status"),
    (
        "micro.readiness",
        "micro.correlation",
        "micro.layers",
        "micro.settings",
        "micro.parsers",
        "micro.keys",
        "micro.secrets",
        "micro.errors",
        "micro",
    ),
)
# Which libraries are at home where; elsewhere nothing of them is imported.
HOMES = {
    "flask": ("micro.api", "micro.api.rest.jobs", "micro.web"),
    "flask_cors": ("micro.api",),
    "gunicorn": ("micro.server",),
    "celery": ("micro.api", "micro.jobs", "micro.server.worker"),
    "click": ("micro.cli",),
    "prometheus_client": ("micro.api", "micro.server.exporter", "micro.web"),
    "opentelemetry": ("micro.telemetry.otel",),
    "rich": ("micro.cli",),
    "sqlalchemy": ("micro.jobs",),
}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def _floor(module: str) -> int:
    """Return the number of the floor whose name is the longest that the module's begins with."""
    fitting = [
        (len(name), number)
        for number, names in enumerate(FLOORS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    return max(fitting)[1]


def _imports(path: Path) -> Iterator[str]:
    """Yield what a module imports when it runs, in functions too, but not what only type checkers see."""
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_point_down(path: Path) -> None:
    own = _floor(_name(path))
    upward = [each for each in _imports(path) if each.split(".")[0] == "micro" and _floor(each) < own]
    assert upward == []


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_libraries_stay_at_home(path: Path) -> None:
    module = _name(path)
    used = {each.split(".")[0] for each in _imports(path)} & HOMES.keys()
    assert {each for each in used if not module.startswith(HOMES[each])} == set()


def _loaded(code: str) -> set[str]:
    """Run the code in a fresh Python and return what it has imported."""
    program = f"{code}\nimport sys\nprint('', *sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def _command(flag: str) -> str:
    return f"import sys, micro.cli\nsys.argv = ['micro', '{flag}']\nmicro.cli.main()"


_HEAVY = "flask celery kombu gunicorn pydantic sqlalchemy rich click pluggy prometheus_client opentelemetry"
_PROBED = """
from micro.api.rest import create_app
from micro.config.settings import Settings
client = create_app(Settings()).test_client()
assert client.get("/readyz").status_code == 200
"""


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        (
            "import micro",
            "flask celery kombu gunicorn pydantic sqlalchemy rich click pluggy prometheus_client",
        ),
        (
            "from micro import PluginBase, PluginDescription",
            "flask celery kombu gunicorn pydantic sqlalchemy",
        ),
        (
            _command("-h"),
            "flask celery kombu gunicorn pydantic sqlalchemy rich pluggy click prometheus_client",
        ),
        (
            _command("-v"),
            "flask celery kombu gunicorn pydantic sqlalchemy rich pluggy click prometheus_client",
        ),
        ("import micro.server.launch", "flask celery kombu gunicorn pydantic sqlalchemy prometheus_client"),
        (
            "import micro.server.http.gunicorn",
            "celery kombu sqlalchemy prometheus_client flask_cors opentelemetry",
        ),
        (_PROBED, "celery kombu sqlalchemy prometheus_client flask_cors opentelemetry"),
        ("import micro.server.worker", "flask gunicorn"),
    ],
    ids=["import", "authors", "help", "version", "supervisor", "rest", "probed", "worker"],
)
def test_what_is_heavy_is_loaded_only_where_it_is_used(code: str, heavy: str) -> None:
    assert _loaded(code) & set(heavy.split()) == set()


def test_the_package_offers_its_names_and_no_others() -> None:
    assert {each: getattr(micro, each) for each in micro.__all__}
    assert set(micro.__all__) <= set(dir(micro))
    with pytest.raises(AttributeError, match="module 'micro' has no attribute 'nothing'"):
        _ = micro.nothing
