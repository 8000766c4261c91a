from __future__ import annotations

import pytest

from micro.config.redaction import MASK, masked, masked_urls


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "redis_password",
        "SECRET_KEY",
        "access_token",
        "api_key",
        "api_keys",
        "apikey",
        "private",
        "credentials",
    ],
)
def test_what_is_named_a_secret_is_masked(name: str) -> None:
    assert masked(name, "sesame") == MASK
    assert masked(name, {"deep": "sesame"}) == MASK


@pytest.mark.parametrize("name", ["api_keys_file", "password_file", "keyfile"])
def test_the_path_of_a_file_is_shown(name: str) -> None:
    assert masked(name, "/run/secrets/file") == "/run/secrets/file"


@pytest.mark.parametrize("value", ["", None, 0, False])
def test_no_secret_is_shown_as_none(value: object) -> None:
    assert masked("password", value) == value


def test_other_values_stay() -> None:
    value = {"a": [1, "b"], "c": None, "d": True}
    assert masked("options", value) == value


def test_secrets_are_found_in_objects_and_lists() -> None:
    value = {"hosts": [{"host": "here", "password": "sesame"}], "url": "redis://:sesame@here"}
    assert masked("options", value) == {
        "hosts": [{"host": "here", "password": MASK}],
        "url": f"redis://:{MASK}@here",
    }


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://user:sesame@host:5672//", f"amqp://user:{MASK}@host:5672//"),
        ("redis://:sesame@host/0", f"redis://:{MASK}@host/0"),
        ("db+postgresql://user:ses:ame@host/db", f"db+postgresql://user:{MASK}@host/db"),
        ("redis://:s/es@me@host/0", f"redis://:{MASK}@host/0"),
        ("amqp://a:sesame@b//;amqp://c:sesame@d//", f"amqp://a:{MASK}@b//;amqp://c:{MASK}@d//"),
        ("redis://host?ssl=1&password=sesame&db=1", f"redis://host?ssl=1&password={MASK}&db=1"),
        ("cannot reach amqp://user:sesame@host: refused", f"cannot reach amqp://user:{MASK}@host: refused"),
        ("amqp://user@host:5672//", "amqp://user@host:5672//"),
        ("http://127.0.0.1:8000/plugins", "http://127.0.0.1:8000/plugins"),
        ("redis+socket:///var/lib/micro/broker/socket", "redis+socket:///var/lib/micro/broker/socket"),
        ("mail me@host", "mail me@host"),
    ],
)
def test_urls_lose_only_their_passwords(url: str, shown: str) -> None:
    assert masked_urls(url) == shown
    assert masked("url", url) == shown
