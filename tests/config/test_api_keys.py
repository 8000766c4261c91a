"""API keys as settings and files have them: read, hashed, and never told."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from micro.config.api_keys import ApiKey, parse_keys, read_key_file
from micro.config.loading import dump_settings, load_settings, restore_settings
from micro.errors import ConfigError

KEY = "k3y-with_16+chars/="
OTHER = "another|key.of~these!"


def digest_of(key: str) -> str:
    return sha256(key.encode()).hexdigest()


CI = ApiKey("ci", digest_of(KEY))
WEB = ApiKey("web", digest_of(OTHER), ("Echo", "Example Plugin"))


@pytest.mark.parametrize(
    "raw",
    [
        f"ci:{KEY},web:{OTHER}:Echo|Example Plugin",
        f" ci:{KEY} ,, web:{OTHER}: Echo | Example Plugin,",
        f"ci:sha256:{digest_of(KEY).upper()},web:sha256:{digest_of(OTHER)}:Echo|Example Plugin",
        [f"ci:{KEY}", {"name": "web", "key": OTHER, "plugins": ["Echo", "Example Plugin"]}],
        json.dumps([CI.as_raw(), WEB.as_raw()]),
    ],
)
def test_keys_are_text_or_a_list(raw: Any) -> None:
    assert parse_keys(raw) == (CI, WEB)


def test_no_keys_are_none() -> None:
    assert parse_keys("") == parse_keys([]) == parse_keys("[]") == ()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("secretsecretsecret", "key 1: expected NAME:KEY or NAME:KEY:PLUGIN|PLUGIN"),
        (f"ci:{KEY},:secretsecretsecret", "key 2: expected a name of letters, digits"),
        ("a b:secretsecretsecret", "key 1: expected a name of letters, digits"),
        ("ci:secret", "key 1 ('ci'): expected 16 to 512 ASCII characters"),
        ("ci:secret with spaces in it", "key 1 ('ci'): expected 16 to 512 ASCII"),
        ("ci:sécretsecretsecret", "key 1 ('ci'): expected 16 to 512 ASCII"),
        ("ci:sha256:secret", "key 1 ('ci'): expected 64 hexadecimal digits after 'sha256:'"),
        ("ci:secretsecretsecret:", "key 1 ('ci'): expected the names of plugins"),
        ("ci:secretsecretsecret:A||B", "key 1 ('ci'): expected the names of plugins"),
        ("[secretsecretsecret", "expected a JSON list of keys"),
        ({"ci": "secretsecretsecret"}, "expected keys as NAME:KEY"),
        (7, "expected keys as NAME:KEY"),
        ([7], "key 1: expected NAME:KEY"),
        ([{"name": "ci"}], 'key 1: expected an object with "name", "key"'),
        ([{"name": "ci", "key": "secretsecretsecret", "plugin": "A"}], "key 1: expected an object"),
        ([{"name": "ci", "key": 1234567890123456}], "key 1 ('ci'): expected the key as a string"),
        ([{"name": 7, "key": "secretsecretsecret"}], "key 1: expected a name"),
        ([{"name": "ci", "key": "secretsecretsecret", "plugins": "A"}], "expected the names of plugins"),
        (f"ci:{KEY},ci:secretsecretsecret", "expected a name of its own for each key, found 'ci' twice"),
        ("ci:secretsecretsecret,web:secretsecretsecret", "found 'ci' again as 'web'"),
    ],
)
def test_what_is_wrong_is_told_without_the_key(raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        parse_keys(raw)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value).replace("import secrets; print(secrets.", "")


@pytest.mark.parametrize(
    "text",
    [
        f"# for the pipeline\nci:{KEY}\n\n  web:{OTHER}:Echo|Example Plugin  \n",
        json.dumps([CI.as_raw(), WEB.as_raw()], indent=2),
    ],
)
def test_a_file_has_lines_or_json(text: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    assert read_key_file(file) == (CI, WEB)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "expected one key a line, as NAME:KEY or NAME:KEY:PLUGIN|PLUGIN, found none"),
        (b"# nothing yet\n", "found none"),
        (b"[]", "found none"),
        (b"[}", "expected a JSON list of keys"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (b"ci:short", "key 1 ('ci'): expected 16 to 512 ASCII"),
    ],
)
def test_a_wrong_file_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_key_file(file)
    assert message in caught.value.message
    assert str(file) in caught.value.message


def test_settings_keep_the_digests_only() -> None:
    settings = load_settings(environ={"MICRO_API_KEYS": f"ci:{KEY},web:{OTHER}:Echo|Example Plugin"})
    text = dump_settings(settings)
    assert settings.api_keys == (CI, WEB)
    assert KEY not in text + repr(settings)
    assert digest_of(KEY) not in repr(settings)
    assert restore_settings(text) == settings


def test_a_wrong_setting_names_its_layer(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"micro": {"api_keys": ["ci:short"]}}))
    with pytest.raises(ConfigError, match=r"^Setting 'api_keys' \(file .*config.json\): key 1 \('ci'\)"):
        load_settings({"config_file": str(file)}, {})


def test_an_empty_file_name_overrides() -> None:
    assert load_settings({"api_keys_file": "keys"}, {}).api_keys_file == Path("keys").absolute()
    assert load_settings({"api_keys_file": ""}, {"MICRO_API_KEYS_FILE": "keys"}).api_keys_file is None
