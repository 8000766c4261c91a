from __future__ import annotations

import os

import pytest

from micro.layers import load_settings
from micro.server.cautions import cautions


@pytest.mark.parametrize("bind", ["127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "localhost:80", "unix:/x"])
def test_an_address_of_this_machine_alone_needs_no_word(bind: str) -> None:
    told = list(cautions(load_settings({"bind": bind, "gunicorn": True}, environ={})))
    assert not any("other machines" in each for each in told)


@pytest.mark.parametrize("bind", ["0.0.0.0:80", ":80", "[::]:80", "10.0.0.1:80", "myhost:80"])
def test_an_address_that_others_reach_is_pointed_out(bind: str) -> None:
    told = list(cautions(load_settings({"bind": bind, "gunicorn": True}, environ={})))
    assert any(f"{bind} can be reached from other machines" in each for each in told)
    assert not any("other machines" in each for each in cautions(load_settings({"bind": bind}, environ={})))


def test_root_is_pointed_out() -> None:
    told = list(cautions(load_settings(environ={})))
    assert bool(told) == (os.geteuid() == 0)
