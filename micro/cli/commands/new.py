"""micro new: writes a working plugin, with a test and a README."""

from __future__ import annotations

import keyword
import re
import shlex
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from string import Template

import click

from micro.plugin.names import slug

_TEMPLATES = Path(__file__).parents[1] / "templates"
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", re.ASCII | re.IGNORECASE)
_OWN_MODULES = ("micro", "micro_plugins")
_OWN_CLASSES = ("PluginBase", "PluginDescription")


@dataclass(frozen=True)
class PluginNames:
    """The forms of a plugin's name: ``name`` as given is that of the folder and distribution."""

    name: str
    ident: str
    title: str
    class_name: str
    slug: str


@click.command()
@click.argument("name")
@click.option(
    "--path",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Create the plugin's folder in DIR; by default here.",
)
@click.option("--package", is_flag=True, help="Make a package to install with pip, not a plugin folder.")
def command(name: str, path: Path, package: bool) -> None:
    """Create a new plugin that works: a typed run(), examples, passing tests and a README."""
    names = _names(name)
    folder = path / name
    if folder.exists():
        raise click.UsageError(f"{folder} exists already and is left as it is.")
    if package and find_spec(names.ident):
        raise click.UsageError(f"A module {names.ident!r} is installed here; choose another name.")
    files = list(_files("package" if package else "folder", names))
    try:
        folder.mkdir(parents=True)
        for file, text in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    except OSError as err:
        raise click.UsageError(f"{folder} cannot be written: {err.strerror}.") from err
    click.echo("\n".join([f"Created {folder}:", *(f"  {file}" for file, _ in files), ""]))
    click.echo("\n".join(["Next:", *(f"  {line}" for line in _next(folder, names, package))]))


def _names(name: str) -> PluginNames:
    if not _NAME.fullmatch(name):
        expected = "a letter, then letters and digits (ASCII), joined by '-' or '_', such as my-plugin"
        raise click.UsageError(f"Expected a name of {expected}; found {name!r}.")
    words = [f"{word[0].upper()}{word[1:]}" for word in re.split("[-_]", name)]
    names = PluginNames(name, name.replace("-", "_").lower(), " ".join(words), "".join(words), slug(name))
    taken = names.ident in _OWN_MODULES or names.class_name in _OWN_CLASSES
    if taken or keyword.iskeyword(names.ident) or keyword.iskeyword(names.class_name):
        raise click.UsageError(f"The name {name!r} is Python's or Micro's own; choose another.")
    return names


def _files(kind: str, names: PluginNames) -> Iterator[tuple[Path, str]]:
    """Yield the path, relative to the new folder, and the text of each file."""
    root = _TEMPLATES / kind
    for template in sorted(root.rglob("*.tmpl")):
        path = str(template.relative_to(root)).removesuffix(".tmpl").replace("IDENT", names.ident)
        yield Path(path), Template(template.read_text(encoding="utf-8")).substitute(asdict(names))


def _next(folder: Path, names: PluginNames, package: bool) -> list[str]:
    where, above = shlex.quote(str(folder)), shlex.quote(str(folder.parent))
    if package:
        return [
            f"pip install -e {shlex.quote(f'{folder}[test]')}",
            f"pytest {where}",
            f"micro run {names.slug} name=Ada",
            "micro -G",
        ]
    missing = [] if find_spec("pytest") else ["pip install pytest"]
    return [
        *missing,
        f"pytest {where}",
        f"micro run -p {above} {names.slug} name=Ada",
        f"micro -G -p {above}",
    ]
