from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.config.loading import default_file, dump_settings, load_settings, restore_settings
from micro.config.settings import Settings, check_plugin_path, table, to_raw, variable
from micro.errors import ConfigError

ConfigFile = Callable[[object], str]


@pytest.fixture
def config_file(tmp_path: Path) -> ConfigFile:
    def write(content: object) -> str:
        path = tmp_path / "config.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


def test_the_defaults_are_those_of_3x_but_for_the_safe_bind_and_a_queue() -> None:
    settings = load_settings(environ={})
    assert settings.bind == "127.0.0.1:8000"
    assert settings.task_queues == ("micro",)
    assert settings.hostname == "micro"
    assert (settings.gunicorn_workers, settings.celery_workers) == (1, 1)
    assert (settings.log_file_name, settings.log_level) == ("micro.log", "WARNING")
    assert (settings.log_folder_path, settings.pid_folder_path) == (
        Path("/var/log/micro"),
        Path("/var/run/micro"),
    )
    assert not (settings.gunicorn or settings.celery or settings.plugin_path or settings.broker_url)


def test_the_command_line_wins_over_the_variable_over_the_file_over_the_default(
    config_file: ConfigFile,
) -> None:
    file = config_file({"celery": {"hostname": "file", "workers": 3}, "gunicorn": {"workers": 4}})
    settings = load_settings(
        {"config_file": file, "hostname": "flag"},
        {"MICRO_HOSTNAME": "variable", "MICRO_CELERY_WORKERS": "2"},
    )
    assert (settings.hostname, settings.source("hostname")) == ("flag", "command line")
    assert (settings.celery_workers, settings.source("celery_workers")) == (2, "MICRO_CELERY_WORKERS")
    assert (settings.gunicorn_workers, settings.source("gunicorn_workers")) == (4, f"file {file}")
    assert settings.source("bind") == "default"


@pytest.mark.parametrize("text", ["1", "true", "YES", "on", "True"])
def test_a_switch_is_on_in_each_of_its_words(text: str) -> None:
    assert load_settings(environ={"MICRO_CELERY": text}).celery is True


@pytest.mark.parametrize("text", ["0", "false", "No", "off"])
def test_a_switch_that_is_off_overrides(text: str, config_file: ConfigFile) -> None:
    file = config_file({"micro": {"celery": "yes"}})
    assert load_settings({"config_file": file}, {}).celery is True
    assert load_settings({"config_file": file}, {"MICRO_CELERY": text}).celery is False


@pytest.mark.parametrize(("value", "expected"), [(True, True), (0, False), ("off", False), (1, True)])
def test_a_switch_in_the_file(value: object, expected: bool, config_file: ConfigFile) -> None:
    assert (
        load_settings({"config_file": config_file({"micro": {"gunicorn": value}})}, {}).gunicorn is expected
    )


def test_empty_and_zero_override(config_file: ConfigFile) -> None:
    file = config_file(
        {
            "celery": {"broker_url": "amqp://broker"},
            "micro": {"plugin_path": "/plugins", "stop_timeout": 9, "load_plugins": "a"},
        }
    )
    environ = {
        "MICRO_BROKER_URL": "",
        "MICRO_PLUGIN_PATH": "",
        "MICRO_STOP_TIMEOUT": "0",
        "MICRO_LOAD_PLUGINS": "",
    }
    settings = load_settings({"config_file": file}, environ)
    assert settings.broker_url == ""
    assert settings.plugin_path == ()
    assert settings.stop_timeout == 0
    assert settings.load_plugins == ()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MICRO_CELERY": "maybe"}, "'celery' (MICRO_CELERY): expected one of 1/0/true/false/yes"),
        ({"MICRO_CELERY_WORKERS": "two"}, "(MICRO_CELERY_WORKERS): expected a whole number from 1 on"),
        ({"MICRO_GUNICORN_WORKERS": "0"}, "from 1 on, found a string '0'"),
        ({"MICRO_LOG_LEVEL": "LOUD"}, "expected one of DEBUG, INFO, WARNING, ERROR, CRITICAL, found"),
        ({"MICRO_BIND": "8000"}, "expected HOST:PORT or unix:PATH"),
        ({"MICRO_BIND": "localhost:99999"}, "expected HOST:PORT or unix:PATH"),
        ({"MICRO_LOG_FOLDER_PATH": ""}, "expected a path, found an empty string"),
        ({"MICRO_LOG_FILE_NAME": "a/b.log"}, "expected a file name without folders"),
        ({"MICRO_HOSTNAME": "a b"}, "expected a host name"),
        ({"PORT": "http"}, "'bind' (PORT): expected HOST:PORT"),
    ],
)  # fmt: skip
def test_a_wrong_value_names_the_layer_and_what_was_expected(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(environ=environ)
    assert message in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "expected JSON"),
        ([1], "expected a JSON object, found a list"),
        ({"web": {}}, "unknown section 'web'; expected gunicorn, celery, micro"),
        ({"micro": 5}, "section 'micro': expected an object, found an integer 5"),
        ({"micro": {"plugins_path": "x"}}, "Unknown setting 'plugins_path' in section 'micro'"),
        ({"celery": {"workers": "2"}}, "expected a number, found a string '2'; remove the quotes"),
        ({"celery": {"workers": True}}, "expected a whole number from 1 on, found a boolean True"),
        ({"celery": {"workers": 1.5}}, "found a number 1.5"),
        ({"celery": {"hostname": 7}}, "expected a string, found an integer 7"),
        ({"gunicorn": {"bind": None}}, "expected a string, found null"),
        ({"micro": {"gunicorn": 1.0}}, "expected one of 1/0/true/false"),
        ({"micro": {"load_plugins": {"a": 1}}}, "expected names separated by commas, found an object"),
        ({"micro": {"plugin_path": 3}}, "expected a folder, or several joined by"),
    ],
)
def test_a_wrong_file_is_refused(content: object, message: str, config_file: ConfigFile) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings({"config_file": config_file(content)}, {})
    assert message in caught.value.message
    assert "config.json" in caught.value.message


def test_a_missing_file_tells_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"does not exist; `micro -d > .*none.json` writes one"):
        load_settings({"config_file": str(tmp_path / "none.json")}, {})


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings({"config_file": str(tmp_path)}, {})


@pytest.mark.parametrize("name", ["MICRO_CONFIG_FILE", "MICRO_CONFIG"])
def test_a_variable_names_the_file(name: str, config_file: ConfigFile) -> None:
    assert load_settings(environ={name: config_file({"celery": {"hostname": "h"}})}).hostname == "h"


@pytest.mark.parametrize(
    ("environ", "bind"),
    [
        ({"PORT": "5000"}, "127.0.0.1:5000"),
        ({"HOST": "0.0.0.0"}, "0.0.0.0:8000"),
        ({"HOST": "::", "PORT": "80"}, "[::]:80"),
        ({"HOST": "0.0.0.0", "PORT": "80", "MICRO_BIND": "127.0.0.1:1"}, "127.0.0.1:1"),
        ({"PORT": ""}, "127.0.0.1:8000"),
    ],
)
def test_host_and_port_fill_in_a_bind_that_nothing_else_gives(environ: dict[str, str], bind: str) -> None:
    assert load_settings(environ=environ).bind == bind


def test_other_settings_of_gunicorn_and_celery_are_passed_through(config_file: ConfigFile) -> None:
    file = config_file(
        {"gunicorn": {"timeout": 8, "cors": {}}, "celery": {"task_time_limit": 5, "workers": 2}}
    )
    settings = load_settings({"config_file": file}, {})
    assert settings.gunicorn_options == {"timeout": 8, "cors": {}}
    assert settings.celery_options == {"task_time_limit": 5}


@pytest.mark.parametrize(
    ("value", "names"), [("a, b,", ("a", "b")), (["a", "b"], ("a", "b")), ("", ("micro",)), ([], ("micro",))]
)
def test_queues_are_a_list_or_joined_by_commas(
    value: object, names: tuple[str, ...], config_file: ConfigFile
) -> None:
    assert (
        load_settings({"config_file": config_file({"celery": {"task_queues": value}})}, {}).task_queues
        == names
    )


def test_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings = load_settings({"plugin_path": f"plugins{os.pathsep}~/more", "log_folder_path": "log"}, {})
    assert settings.plugin_path == (tmp_path / "plugins", tmp_path / "home" / "more")
    assert settings.log_folder_path == tmp_path / "log"


def test_level_aliases_of_3x() -> None:
    assert load_settings(environ={"MICRO_LOG_LEVEL": "warn"}).log_level == "WARNING"
    assert load_settings(environ={"MICRO_LOG_LEVEL": "FATAL"}).log_level == "CRITICAL"


def test_the_default_file_is_accepted_and_changes_nothing(config_file: ConfigFile) -> None:
    assert load_settings({"config_file": config_file(default_file())}, {}) == load_settings(environ={})


def test_the_file_that_3x_wrote_is_accepted(config_file: ConfigFile) -> None:
    file = config_file(
        {
            "gunicorn": {"bind": "0.0.0.0:8000", "workers": 1},
            "celery": {"broker_url": "", "workers": 1, "hostname": "micro", "task_queues": ""},
            "micro": {
                "log_file_name": "micro.log",
                "log_folder_path": "/var/log/micro",
                "log_level": "WARNING",
                "pid_folder_path": "/var/run/micro",
                "plugin_path": "",
            },
        }
    )
    assert load_settings({"config_file": file}, {}).bind == "0.0.0.0:8000"


def test_a_child_restores_what_was_dumped(config_file: ConfigFile) -> None:
    file = config_file({"gunicorn": {"timeout": 8}, "celery": {"task_queues": "a,b", "task_time_limit": 1}})
    flags: dict[str, Any] = {"config_file": file, "plugin_path": f"/a{os.pathsep}/b", "gunicorn": True}
    settings = load_settings(flags, {"MICRO_LOAD_PLUGINS": "x,y"})
    restored = restore_settings(dump_settings(settings))
    assert restored == settings
    assert restored.sources == settings.sources


def test_a_way_up_is_followed_through_links(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "er")
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"plugin_path": ["link", "link/..", "deep/er/../.."]}, {})
    assert settings.plugin_path == (tmp_path / "link", tmp_path / "deep", tmp_path)


def test_the_plugin_path_must_exist(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check_plugin_path(Settings(plugin_path=(tmp_path,)))
    with pytest.raises(ConfigError, match=r"found nothing at .*create it or name another with -p"):
        check_plugin_path(load_settings({"plugin_path": str(tmp_path / "none")}, {}))
    with pytest.raises(ConfigError, match="found a file at"):
        check_plugin_path(load_settings({"plugin_path": str(tmp_path / "file")}, {}))


@pytest.mark.parametrize("setting", list(table()), ids=lambda setting: setting.name)
def test_every_setting_takes_its_own_default_and_says_what_it_is(setting: Any) -> None:
    assert setting.metadata["help"].endswith(".")
    assert variable(setting).startswith("MICRO_")
    assert setting.metadata["parse"](to_raw(setting.default)) == setting.default
