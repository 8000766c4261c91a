"""Formats import errors of plugin folders with plugin, folder, file and line."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from micro.errors import PluginLoadError
from micro.plugin.imports.scan import PluginFolder

OWN_FILES = ("folders.py", "finder.py", "loaders.py", "_importlib_bootstrap.py")
LOADER_FILES = {importlib.__file__, *(str(Path(__file__).with_name(name)) for name in OWN_FILES)}
FROZEN_LOADERS = ("<frozen importlib", "<frozen zipimport")


def load_error(folder: PluginFolder, err: BaseException) -> PluginLoadError:
    """Return a PluginLoadError with a one-line message for an exception from a plugin's import.

    The import system's frames are removed from the tracebacks of ``err`` and its chained exceptions, so
    that they show only the plugin's own lines.
    """
    for each in _chain(err):
        each.__traceback__ = _cut(each.__traceback__)
    what = f"plugin {folder.name!r} in {folder.path} cannot be imported"
    return PluginLoadError(f"{what}: {_sentence(err)}{_place(err, folder.path)}")


def _chain(err: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [err]
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            waiting += [each.__cause__, each.__context__]
            yield each


def _cut(traceback: TracebackType | None) -> TracebackType | None:
    kept = None
    for link in reversed(list(_links(traceback))):
        file = link.tb_frame.f_code.co_filename
        if file not in LOADER_FILES and not file.startswith(FROZEN_LOADERS):
            kept = TracebackType(kept, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return kept


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback:
        yield traceback
        traceback = traceback.tb_next


def _sentence(err: BaseException) -> str:
    try:
        text = str(err.msg if isinstance(err, SyntaxError) else err)
    except Exception:
        text = "(its message cannot be shown)"
    return " ".join(f"{type(err).__name__}: {text}".split()).removesuffix(":")


def _place(err: BaseException, folder: Path) -> str:
    """Return the last file and line inside the folder that led to the error."""
    places = [(link.tb_frame.f_code.co_filename, link.tb_lineno) for link in _links(err.__traceback__)]
    if isinstance(err, SyntaxError) and isinstance(err.filename, str):
        places.append((err.filename, err.lineno or 0))
    for file, line in reversed(places):
        if Path(file).is_relative_to(folder):
            return f" ({Path(file).relative_to(folder)}, line {line})"
    return ""
