"""Compares loading 1,000 plugin folders with importing the same 1,000 files by plain importlib.

    python benchmarks/load_plugins.py [--plugins N] [--helpers N] [--rounds N] [--check]

Each measurement is the CPU time of a process of its own, the kinds in turn: cold (without
bytecode), then warm. With --check the exit status is 1 when loading takes more than 1.5 times as
long. For comparison, "by path" is the least there is: each file run by itself, without packages,
search or import lock.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

LIMIT = 1.5
REPOSITORY = Path(__file__).parents[1]

INTERFACE = """
from micro.plugin.pluginbase import PluginBase, PluginDescription
{imports}

class Example(PluginBase):
    def run(self, name: str = "you") -> dict:
        return {{"message": f"Hello {{name}}, this is {number}"}}


plugin = PluginDescription(
    instance=Example,
    name="Example {number}",
    version="1.0.0",
    url="https://example.org",
    author="Somebody",
    author_email="somebody@example.org",
    description="Greets",
    long_description="Greets whoever calls it",
    plugin_help="name: who is greeted",
)
"""

HELPER = """
import json
import os


def work_{number}(text: str) -> str:
    return json.dumps(dict(text=text, folder=os.sep))
"""

# Both begin with what the plugins themselves import in memory, so only the loading is measured.
PREPARE = """
import importlib.util, json, sys, time
from pathlib import Path
import micro.plugin.imports.folders as folders
import micro.plugin.pluginbase
root, helpers = Path(sys.argv[1]), int(sys.argv[2])
start = time.process_time()
"""

PLAIN = """
sys.path.append(str(root))
for folder in sorted(root.iterdir()):
    importlib.import_module(f"{folder.name}.interface")
"""

BY_PATH = """
for folder in sorted(root.iterdir()):
    for name in [*(f"helper{number}" for number in range(helpers)), "interface"]:
        spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
"""

MICRO = """
folders.install([root])
loaded = [folders.load_folder(folder) for folder in folders.find_folders([root])]
"""

REPORT = """
print(time.process_time() - start)
"""


def main(argv: Sequence[str] | None = None) -> int:
    options = parse_options(argv)
    ratios = [compare(options, cold=cold) for cold in (True, False)]
    return int(options.check and max(ratios) > LIMIT)


def parse_options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--plugins", type=int, default=1000, help="how many folders (1000)")
    parser.add_argument("--helpers", type=int, default=0, help="modules beside each interface.py (0)")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each kind (5)")
    parser.add_argument("--check", action="store_true", help=f"fail when a ratio is above {LIMIT}")
    return parser.parse_args(argv)


def compare(options: argparse.Namespace, *, cold: bool) -> float:
    """Print the medians, in seconds, and return the ratio of Micro's to plain importlib's."""
    times: dict[str, list[float]] = {PLAIN: [], BY_PATH: [], MICRO: []}
    with tempfile.TemporaryDirectory() as temporary:
        # Plain packages cannot import `helper0`, they say `from . import helper0`.
        relative, absolute = Path(temporary, "relative"), Path(temporary, "absolute")
        write_plugins(relative, options, "from . import")
        write_plugins(absolute, options, "import")
        for _ in range(options.rounds + 1):
            for script, measured in times.items():
                root = relative if script == PLAIN else absolute
                measured.append(seconds(script, root, options.helpers, cold=cold))
    # The first of each has no bytecode even when warm, and the disk's caches are empty.
    plain, by_path, micro = (statistics.median(measured[1:]) for measured in times.values())
    print(
        f"{'cold' if cold else 'warm'}: plain importlib {plain:.3f} s, Micro {micro:.3f} s, "
        f"ratio {micro / plain:.2f} (by path: {by_path:.3f} s)"
    )
    return micro / plain


def write_plugins(root: Path, options: argparse.Namespace, statement: str) -> None:
    imports = "\n".join(f"{statement} helper{number}" for number in range(options.helpers))
    for number in range(options.plugins):
        folder = root / f"plugin{number:04}"
        folder.mkdir(parents=True)
        (folder / "interface.py").write_text(INTERFACE.format(imports=imports, number=number))
        for helper in range(options.helpers):
            (folder / f"helper{helper}.py").write_text(HELPER.format(number=number))


def seconds(script: str, root: Path, helpers: int, *, cold: bool) -> float:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = str(REPOSITORY)
    # Cold means compiled anew. To write bytecode measures the file system: its times vary by half.
    flags = ["-B"] if cold else []
    command = [sys.executable, *flags, "-c", PREPARE + script + REPORT, str(root), str(helpers)]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
