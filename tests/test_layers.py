"""Imports point one way, down the house; what is heavy is loaded only by those that need it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import micro

ROOT = Path(micro.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

# From the top of the house to its bottom; a module may import from its own layer and from those below.
LAYERS = (
    ("micro.__main__", "micro.testing"),
    ("micro.cli",),
    ("micro.server",),
    ("micro.web",),
    ("micro.api", "micro.check"),
    ("micro.jobs", "micro.telemetry"),
    ("micro.service",),
    ("micro.plugin", "micro"),
    ("micro.contract", "micro.client", "micro.runtime"),
    ("micro.config", "micro.correlation", "micro.periodic", "micro.retry", "micro.models"),
    ("micro.errors", "micro._version"),
)
# Which libraries are at home where; elsewhere nothing of them is imported.
HOMES = {
    "flask": ("micro.api.rest", "micro.web"),
    "flask_cors": ("micro.api.rest",),
    "gunicorn": ("micro.server",),
    "uvicorn": ("micro.server.http",),
    "uvicorn_worker": ("micro.server.http",),
    "celery": (
        "micro.api.celery",
        "micro.api.endpoints",
        "micro.jobs",
        "micro.server.worker",
    ),
    "click": ("micro.cli",),
    "prometheus_client": ("micro.api.rest", "micro.telemetry", "micro.server.exporter"),
    "opentelemetry": ("micro.telemetry.otel",),
    "rich": ("micro.cli",),
    "sqlalchemy": ("micro.jobs",),
}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


NAMES = {_name(path): path for path in MODULES}


def _layer(module: str) -> int:
    """Return the number of the layer whose name is the longest that the module's name begins with."""
    fitting = [
        (len(name), number)
        for number, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    return max(fitting)[1]


def _imports(path: Path, types: bool = True) -> Iterator[str]:
    """Yield what a module imports, in functions too and, with ``types``, only for type checkers."""
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if not types and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        pending.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES or node.module not in NAMES else str(node.module)


IMPORTS = {name: set(_imports(path)) for name, path in NAMES.items()}


def test_imports_point_down() -> None:
    upward = [
        f"{name} imports {each}"
        for name, imported in IMPORTS.items()
        for each in imported
        if each.split(".")[0] == "micro" and _layer(each) < _layer(name)
    ]
    assert upward == []


def test_no_modules_import_each_other() -> None:
    graph = {name: (imported & NAMES.keys()) - {name} for name, imported in IMPORTS.items()}
    # The face of a package hands names on, as late as they are asked for.
    for face in ("micro", "micro.api.rest"):
        graph.pop(face, None)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        pytest.fail(f"modules import each other: {' -> '.join(err.args[1])}")


def test_libraries_stay_at_home() -> None:
    astray = [
        f"{name} imports {each}"
        for name, path in NAMES.items()
        for each in {each.split(".")[0] for each in _imports(path, types=False)} & HOMES.keys()
        if not name.startswith(HOMES[each])
    ]
    assert astray == []


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
