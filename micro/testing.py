"""pytest fixtures for plugin authors; pytest finds them once Micro is installed.

The fixture ``micro`` loads the plugins in the folder that the ini option ``micro_plugin_path`` names. The
default is the parent of the plugin folder that contains the test. Override the fixture
``micro_plugin_path`` to test other plugins, such as those that ``plugin_dir`` writes.

A test with the argument ``plugin_example`` runs once for each example of the plugin whose folder contains
the test, or of all plugins if no plugin folder contains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask.testing import FlaskClient

    from micro.api.endpoints import Requests
    from micro.config.settings import Settings
    from micro.plugin.plugin import Plugins
    from micro.service import Micro

WritePlugins = Callable[[Mapping[str, str]], Path]


@dataclass(frozen=True)
class PluginExample:
    """One example of a plugin, as JSON values; ``result`` is None if the example declares none."""

    plugin: str
    number: int
    params: dict[str, Any]
    result: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.plugin}-{self.number}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option ``micro_plugin_path``."""
    parser.addini("micro_plugin_path", "Folder of plugin folders for the fixture `micro`.", default="")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize tests that take ``plugin_example``."""
    if "plugin_example" in metafunc.fixturenames:
        examples = _examples(metafunc.config, metafunc.definition.path)
        metafunc.parametrize("plugin_example", examples, ids=str)


@pytest.fixture
def plugin_dir(tmp_path: Path) -> WritePlugins:
    """Write plugin files, ``plugin_dir({"hello/interface.py": "..."})``, and return their plugin path."""

    def write(files: Mapping[str, str]) -> Path:
        folder = tmp_path / "plugins"
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), encoding="utf-8")
        return folder

    return write


@pytest.fixture
def micro_plugin_path(request: pytest.FixtureRequest) -> Path:
    """The folder that contains the plugin folders under test."""
    return _plugin_path(request.config, request.path)


@pytest.fixture
def micro_settings(micro_plugin_path: Path, tmp_path: Path) -> Settings:
    """The settings of ``micro``: the defaults, without the environment, with folders of the test."""
    from micro.config.loading import load_settings

    folders = {"plugin_path": [str(micro_plugin_path)], "state_folder_path": str(tmp_path / "state")}
    return load_settings(folders, environ={})


@pytest.fixture
def micro(micro_settings: Settings) -> Iterator[Micro]:
    """Micro with the plugins under test: ``json.loads(micro.run("Hello", {"name": "you"}))``."""
    from micro.service import Micro

    service = Micro(micro_settings)
    yield service
    service.stop()


@pytest.fixture
def rest_client(micro: Micro) -> FlaskClient:
    """A Flask test client of the REST API: ``rest_client.post("/run/hello", json={...})``."""
    from micro.api.rest.app import create_app

    return create_app(micro=micro).test_client()


@pytest.fixture
def celery_requests(micro: Micro) -> Requests:
    """The Celery client with eager tasks in this process: ``celery_requests.run.delay("hello").get()``."""
    from micro.api.celery.app import create_celery
    from micro.api.endpoints import Requests

    app = create_celery(micro=micro)
    app.conf.update(task_always_eager=True, task_store_eager_result=False)
    return Requests.of(app)


def _plugin_path(config: pytest.Config, test: Path) -> Path:
    named = config.getini("micro_plugin_path")
    if named:
        return config.rootpath / str(named)
    own = _own_folder(test)
    return own.parent if own else config.rootpath


def _own_folder(test: Path) -> Path | None:
    """Return the plugin folder that contains the test file, or None."""
    return next((each for each in test.parents if (each / "interface.py").exists()), None)


def _examples(config: pytest.Config, test: Path) -> list[PluginExample]:
    from micro.plugin.examples import usable_examples

    plugins, own = _plugins(_plugin_path(config, test)), _own_folder(test)
    if own:
        _refuse_left_out(plugins, own)
    return [
        PluginExample(plugin.name, each.number, each.params, each.result)
        for plugin in plugins
        if own is None or (plugin.source.folder and plugin.source.folder.path == own)
        for each in usable_examples(plugin.description)
    ]


def _plugins(path: Path) -> Plugins:
    from micro.config.loading import load_settings
    from micro.plugin.loading import load_plugins

    return load_plugins(load_settings({"plugin_path": [str(path)]}, environ={}))


def _refuse_left_out(plugins: Plugins, folder: Path) -> None:
    """Fail if the plugin in this folder was left out: a test without examples would be skipped silently."""
    for each in plugins.failed:
        if each.origin == f"folder {folder}":
            pytest.fail(f"Plugin {each.name!r} was left out: {each.cause}", pytrace=False)
