from __future__ import annotations

from typing import Any

import pytest

from micro.contract.docstrings import Documentation, read_documentation


class Plain:
    pass


def documented(text: Any) -> Documentation:
    def run() -> None: ...

    run.__doc__ = text
    return read_documentation(run, Plain)


@pytest.mark.parametrize(
    ("text", "summary", "description"),
    [
        ("One line.", "One line.", None),
        ("\n    Two\n    lines.\n\n    More.\n    And more.\n    ", "Two lines.", "More.\nAnd more."),
        ("First.\n\nSecond.\n\nThird.", "First.", "Second.\n\nThird."),
        ("Summary.\nArgs:\n  x: told\n", "Summary.", None),
        ("What no parser reads.\n\n: :\n", "What no parser reads.", ": :"),
        (None, None, None),
        ("", None, None),
        ("  \n ", None, None),
        (5, None, None),
    ],
)
def test_the_first_paragraph_is_the_summary(text: object, summary: str, description: str) -> None:
    words = documented(text)
    assert (words.summary, words.description) == (summary, description)


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("S.\n\nArgs:\n    x: The x.\n    **more: Others.\n", {"x": "The x.", "more": "Others."}),
        ("S.\n\nParameters\n----------\na, b : int\n    Both.\n", {"a": "Both.", "b": "Both."}),
        ("S.\n\n:param x: The x.\n:type x: int\n", {"x": "The x."}),
        ("S.\n\n@param x: The x.\n", {"x": "The x."}),
        ("S.\n\nArgs:\n    x:\n", {}),
        ("Args:", {}),
        ("S.\n\nParameters\n----------\n", {}),
        (":param", {}),
    ],
)
def test_parameters_are_described_in_any_style(text: str, parameters: dict[str, str]) -> None:
    assert documented(text).parameters == parameters


def test_the_class_adds_what_run_does_not_say() -> None:
    def run() -> None:
        """:param x: From run."""

    class Told:
        """From the class.

        :param x: Not this.
        :param y: The y.
        """

    words = read_documentation(run, Told)
    assert words.summary == "From the class."
    assert words.parameters == {"x": "From run.", "y": "The y."}


def test_the_words_of_a_base_class_are_not_those_of_the_plugin() -> None:
    class Base:
        """A plugin base."""

    class Plugin(Base):
        pass

    assert read_documentation(None, Plugin) == Documentation()
