"""The keys of a service: found by what callers show, and read again when their file changes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from micro.api.rest.key_store import KeyStore
from micro.errors import ConfigError
from micro.service import Micro

OLD, NEW, FIXED = "old-key-old-key-old", "new-key-new-key-new", "fixed-key-fixed-key"
MakeMicro = Callable[..., Micro]
Wait = Callable[..., object]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"caller:{OLD}\n")
    return file


@pytest.fixture
def ring(load: MakeMicro, file: Path) -> KeyStore:
    """The ring of that file and one key of the settings; it looks at the file every time."""
    micro = load({}, api_keys=f"fixed:{FIXED}", api_keys_file=str(file))
    return KeyStore(micro.settings, micro.loaded, look_seconds=0)


def replace(file: Path, text: str) -> None:
    draft = file.with_name("draft")
    draft.write_text(text)
    draft.replace(file)


def test_a_key_is_found_whole_or_not_at_all(ring: KeyStore) -> None:
    grant = ring.find(OLD)
    assert grant is not None
    assert (grant.name, grant.plugins) == ("caller", None)
    for wrong in ("", OLD[:-1], f"{OLD} ", OLD.upper(), "ö", f"caller:{OLD}", "x" * 100_000):
        assert ring.find(wrong) is None


def test_a_changed_file_is_read_again(ring: KeyStore, file: Path) -> None:
    replace(file, f"caller:{NEW}\n")
    assert ring.find(NEW)
    assert not ring.find(OLD)
    assert ring.find(FIXED)


def test_a_file_rewritten_in_place_within_one_tick_of_the_clock_is_noticed(
    ring: KeyStore, file: Path
) -> None:
    before = file.stat()
    file.write_text(f"# longer\ncaller:{NEW}\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ring.find(NEW)


@pytest.mark.parametrize("text", [None, "caller:short", f"fixed:{NEW}", ""])
def test_the_keys_stay_while_the_file_is_wrong(
    ring: KeyStore, file: Path, text: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file.unlink() if text is None else replace(file, text)
    for _ in range(3):
        assert ring.find(OLD)
    (told,) = (each for each in caplog.records if each.levelno == logging.ERROR)
    assert told.getMessage().startswith("The previous API keys stay valid, as the new ones cannot be used: ")
    replace(file, f"caller:{NEW}")
    assert ring.find(NEW) and not ring.find(OLD)


def test_a_name_of_both_the_settings_and_the_file_is_refused(load: MakeMicro, file: Path) -> None:
    micro = load({}, api_keys=f"caller:{FIXED}", api_keys_file=str(file))
    with pytest.raises(ConfigError, match="found 'caller' twice"):
        KeyStore(micro.settings, micro.loaded)


def test_a_plugin_that_is_not_there_is_told_of(load: MakeMicro, caplog: pytest.LogCaptureFixture) -> None:
    micro = load({}, api_keys=f"caller:{OLD}:Gone")
    grant = KeyStore(micro.settings, micro.loaded).find(OLD)
    assert grant is not None and grant.allows("Gone") and not grant.allows("Other")
    assert "API key 'caller': plugin not found: 'Gone'" in caplog.text
