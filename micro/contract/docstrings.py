"""Extracts summary, description and parameter descriptions from a plugin's docstrings."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field

import docstring_parser


@dataclass(frozen=True)
class Documentation:
    """The documentation from a plugin's docstrings; every part may be empty."""

    summary: str | None = None
    description: str | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def read_documentation(run: object, owner: type) -> Documentation:
    """Read the docstring of ``run`` and, for missing parts, that of the class.

    Google, NumPy, Sphinx and Epydoc styles are recognized by docstring-parser. The first
    paragraph is the summary, the rest of the prose the description.
    """
    parsed = [_parse(text) for text in (run and inspect.getdoc(run), owner.__dict__.get("__doc__"))]
    told = next((each for each in parsed if each.short_description), parsed[0])
    parameters: dict[str, str] = {}
    for each in reversed(parsed):
        parameters.update(_parameters(each))
    return Documentation(*_prose(told), parameters)


def _parse(text: object) -> docstring_parser.Docstring:
    if not isinstance(text, str):
        return docstring_parser.Docstring()
    text = inspect.cleandoc(text)
    # docstring-parser may raise on free text: a line such as ": :" is an IndexError.
    try:
        return docstring_parser.parse(text)
    except Exception:
        prose = docstring_parser.Docstring()
        prose.short_description, _, prose.long_description = text.partition("\n\n")
        prose.blank_after_short_description = True
        return prose


def _prose(docstring: docstring_parser.Docstring) -> tuple[str | None, str | None]:
    summary, rest = docstring.short_description or "", docstring.long_description or ""
    if not docstring.blank_after_short_description:
        more, _, rest = rest.partition("\n\n")
        summary = f"{summary} {more}"
    return _one_line(summary), rest or None


def _parameters(docstring: docstring_parser.Docstring) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in docstring.params:
        if text := _one_line(each.description):
            # In NumPy style, one entry may describe several parameters: "width, height : int".
            found.update({name.strip(" *"): text for name in each.arg_name.split(",")})
    return found


def _one_line(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None
