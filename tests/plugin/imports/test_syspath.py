"""What a plugin adds to sys.path inside its folder stays its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Case = Callable[..., Any]

EDITS = {
    "in front": "sys.path.insert(0, str(HERE / 'libs'))",
    "at the end": "sys.path.append(str(HERE / 'libs'))",
    "a new list": "sys.path = [str(HERE / 'libs'), *sys.path]",
    "by another way": "sys.path.append(str(HERE / '..' / HERE.name / 'libs'))",
    "relative": "import os; sys.path.append(os.path.relpath(HERE / 'libs'))",
    "site": "import site; site.addsitedir(str(HERE / 'libs'))",
    "twice": "sys.path += [str(HERE / 'libs')] * 2",
    "beside a link to itself": """
(HERE / 'circle').symlink_to(HERE / 'circle')
sys.path += [str(HERE / 'circle'), str(HERE / 'libs')]
""",
}

INTERFACE = """
import sys
from pathlib import Path
HERE = Path(__file__).parent
{edit}
import vendored, vendored.part as part

def run():
    import late
    from vendored import NAME
    return NAME, part.NAME, late.NAME
"""


def plugin(name: str, edit: str) -> dict[str, str]:
    return {
        f"{name}/interface.py": INTERFACE.format(edit=edit),
        f"{name}/libs/vendored/__init__.py": f"from vendored.part import NAME\nimport other\nNAME = {name!r}",
        f"{name}/libs/vendored/part.py": f"NAME = {name!r}",
        f"{name}/libs/late.py": f"NAME = {name!r}",
        f"{name}/libs/other.py": "",
    }


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
def test_a_folder_added_to_the_path_is_private(namespace_case: Case, edit: str) -> None:
    namespace_case(
        {**plugin("one", edit), **plugin("two", edit)},
        """
        before = list(sys.path)
        one, two = load("one"), load("two")
        assert sys.path == before, sys.path
        assert one.run() == ("one",) * 3 and two.run() == ("two",) * 3
        assert not {"vendored", "late", "other"} & set(sys.modules)
        """,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("sys.path.insert(0, libs)", "sys.path.remove(libs)"),
        ("sys.path.insert(0, libs)", "sys.path.pop(0)"),
        ("saved = sys.path[:]; sys.path.append(libs)", "sys.path[:] = saved"),
    ],
)
@pytest.mark.parametrize("when", ["load", "run"])
def test_a_plugin_may_take_its_folder_off_the_path_again(
    namespace_case: Case, before: str, after: str, when: str
) -> None:
    namespace_case(
        {
            "one/interface.py": f"""
                import os, sys
                libs = os.path.join(os.path.dirname(__file__), "libs")

                def fetch():
                    {before}
                    import vendored
                    {after}
                    import late
                    return vendored.late is late

                loaded = fetch() if {when!r} == "load" else None
            """,
            "one/libs/vendored.py": "import late",
            "one/libs/late.py": "",
        },
        """
        before = list(sys.path)
        one = load("one")
        assert one.loaded or one.fetch()
        assert sys.path == before
        assert "vendored" not in sys.modules
        """,
    )


def test_the_folder_itself_on_the_path_changes_nothing(namespace_case: Case) -> None:
    edit = "import os, sys; sys.path.append(os.path.dirname(os.path.abspath(__file__)))\n"
    namespace_case(
        {
            "one/interface.py": edit + "import utils",
            "one/utils.py": edit + "import other",
            "one/other.py": "",
        },
        """
        before = list(sys.path)
        assert load("one").utils.other.__name__ == "micro_plugins.one.other"
        assert sys.path == before
        assert sys.modules["micro_plugins.one"].__path__ == [str(PLUGINS / "one")]
        """,
    )


def test_a_folder_that_is_a_link_is_known_by_both_its_paths(namespace_case: Case, tmp_path: Any) -> None:
    files = plugin("one", "sys.path.append(str(HERE.resolve() / 'libs'))")
    for name, text in files.items():
        file = tmp_path / "elsewhere" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "linked").symlink_to(tmp_path / "elsewhere" / "one")
    namespace_case(
        {},
        """
        before = list(sys.path)
        assert load("linked").run() == ("one",) * 3
        assert sys.path == before and "vendored" not in sys.modules
        """,
    )


@pytest.mark.measured
def test_an_archive_on_the_path_is_private(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import sys
                from pathlib import Path
                from zipfile import ZipFile
                archive = Path(__file__).with_name("libs.zip")
                with ZipFile(archive, "w") as file:
                    file.writestr("vendored/__init__.py", "import other, vendored.part")
                    file.writestr("vendored/part.py", "import other")
                    file.writestr("other.py", "NAME = 'zipped'")
                sys.path.insert(0, str(archive))
                import vendored
            """
        },
        """
        module = load("one")
        assert module.vendored.part.other.NAME == "zipped"
        assert "other" not in sys.modules and str(PLUGINS / "one" / "libs.zip") not in sys.path
        """,
    )


def test_a_folder_elsewhere_and_one_the_operator_added_stay_on_the_path(namespace_case: Case) -> None:
    namespace_case(
        {
            "one/interface.py": """
                import sys
                from pathlib import Path
                sys.path.append(str(Path(__file__).parents[2] / "shared"))
                import common
            """,
            "one/libs/common.py": "",
        },
        """
        libs = str(PLUGINS / "one" / "libs")
        uninstall()
        sys.path.append(libs)
        install([PLUGINS])
        assert load("one").common.__name__ == "common"
        assert sys.path[-2:] == [libs, str(PLUGINS.parent / "shared")]
        """,
    )


def test_the_log_says_once_that_a_folder_is_private(namespace_case: Case) -> None:
    done = namespace_case(
        plugin("one", EDITS["twice"]),
        """
        import logging
        logging.basicConfig(level="INFO", stream=sys.stdout)
        load("one").run()
        load("one").run()
        """,
    )
    assert done.stdout.count("sys.path") == 1
    assert "'one'" in done.stdout


def test_what_is_no_path_is_left_alone(namespace_case: Case) -> None:
    namespace_case(
        plugin("one", EDITS["in front"] + "; sys.path += [HERE, []]"),
        """
        before = list(sys.path)
        assert load("one").run() == ("one",) * 3
        assert sys.path == [*before, PLUGINS / "one", []]
        """,
        # coverage itself takes every entry for a text.
        env={"COVERAGE_PROCESS_START": None, "COVERAGE_PROCESS_CONFIG": None},
    )


def test_a_failed_or_unloaded_plugin_leaves_nothing_on_the_path(namespace_case: Case) -> None:
    namespace_case(
        {**plugin("one", EDITS["in front"]), **plugin("two", EDITS["in front"] + "; import gone")},
        """
        before = list(sys.path)
        one = load("one")
        sys.path.append(str(PLUGINS / "one" / "libs"))
        unload_folder(folder("one"))
        assert sys.path == before
        assert load("one").run() == ("one",) * 3
        try:
            load("two")
        except PluginLoadError:
            assert sys.path == before
        else:
            raise AssertionError
        """,
    )
