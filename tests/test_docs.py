"""Holds the documentation to what Micro does."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.config.settings import table, to_raw, variable
from micro.plugin import hookspecs
from micro.testing import WritePlugins

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PLUGIN_CODE = [
    pytest.param(code, id=f"{page.name}-{number}")
    for page in PAGES
    for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL))
    if "PluginDescription(" in code
]
LINKED = [
    *PAGES,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs" / "reference").glob("*.md"),
]
HOOKS = [name for name in vars(hookspecs) if name.startswith("micro_")]


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    arguments = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
    assert f"\n## {hook}({arguments})\n" in (ROOT / "docs" / "hooks.md").read_text()


def test_every_setting_is_documented_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for setting in table():
        flags = ", ".join(f"`{flag}`" for flag in setting.metadata["flags"])
        default = json.dumps(to_raw(setting.default)).strip('"')
        shown = "" if default in ("", "null") else f"`{default}`"
        meaning = setting.metadata["help"].replace("|", r"\|")
        row = (
            f"| `{setting.name}` | {flags} | `{variable(setting)}` | `{setting.metadata['key']}`"
            f" | {shown} | {meaning} |"
        )
        assert row in page


def test_the_configuration_file_of_the_settings_page_is_accepted(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    file = tmp_path / "config.json"
    file.write_text(re.findall(r"```json\n(.*?)```", page, re.DOTALL)[0])
    assert load_settings({"config_file": str(file)}, {}).gunicorn_workers == 2


@pytest.mark.parametrize("code", PLUGIN_CODE)
def test_every_plugin_of_the_documentation_loads_and_its_examples_run(
    code: str, plugin_dir: WritePlugins
) -> None:
    from micro.service import Micro

    path = plugin_dir({"shown/interface.py": code})
    micro = Micro(load_settings({"plugin_path": str(path)}, {}))
    assert [failure.cause for failure in micro.loaded.failed] == []
    (plugin,) = micro.loaded
    assert plugin.contract.findings == ()
    for example in plugin.description.examples:
        assert json.loads(micro.run(plugin.name, example["params"])) == example["result"]


def test_links_between_pages_lead_somewhere() -> None:
    for page in LINKED:
        for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_has_the_two_commands_as_they_stand() -> None:
    readme = (ROOT / "README.md").read_text()
    run = "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox"
    serve = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/micro -G -C -p plugins_example"
    assert f"```sh\n{serve}\n```" in readme
    assert f"```sh\n{run}\n```" in readme
    assert run in (ROOT / ".ci" / "run").read_text()
