from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from micro.config.loading import load_settings
from micro.server.startup_warnings import startup_warnings


@pytest.mark.parametrize("bind", ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "localhost:80", "unix:/x"])
def test_an_address_of_this_machine_alone_needs_no_word(bind: str) -> None:
    told = list(startup_warnings(load_settings({"bind": bind, "gunicorn": True}, environ={})))
    assert not any("other machines" in each for each in told)


@pytest.mark.parametrize("bind", ["0.0.0.0:80", ":80", "[::]:80", "10.0.0.1:80", "myhost:80"])
def test_an_address_that_others_reach_is_pointed_out(bind: str) -> None:
    told = list(startup_warnings(load_settings({"bind": bind, "gunicorn": True}, environ={})))
    assert any(f"{bind} can be reached from other machines" in each for each in told)
    assert not any(
        "other machines" in each for each in startup_warnings(load_settings({"bind": bind}, environ={}))
    )


def test_keys_are_asked_for_where_others_reach() -> None:
    told = list(startup_warnings(load_settings({"bind": "0.0.0.0:80", "gunicorn": True}, environ={})))
    assert any("whoever reaches it can run the plugins; name keys in MICRO_API_KEYS" in each for each in told)


def test_keys_in_clear_are_pointed_out() -> None:
    settings = load_settings({"bind": ":80", "gunicorn": True, "api_keys": "a:0123456789abcdef"}, environ={})
    assert any("API keys travel there in clear" in each for each in startup_warnings(settings))
    safe = replace(settings, gunicorn_options={"certfile": "cert.pem", "keyfile": "key.pem"})
    assert not any("other machines" in each for each in startup_warnings(safe))


def test_a_file_of_keys_that_everybody_can_read_is_pointed_out(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("a:0123456789abcdef")
    settings = load_settings({"gunicorn": True, "api_keys_file": str(file)}, environ={})
    for mode, expected in ((0o644, True), (0o640, False)):
        file.chmod(mode)
        assert any("can read the API keys" in each for each in startup_warnings(settings)) is expected


def test_root_is_pointed_out() -> None:
    told = list(startup_warnings(load_settings(environ={})))
    assert bool(told) == (os.geteuid() == 0)
