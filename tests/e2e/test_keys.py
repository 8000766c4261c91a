"""API keys asked for by the real server: with the client, with commands, and replaced while it serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from micro.client import connect
from micro.errors import Forbidden, Unauthorized

LATER = """
from micro import PluginBase, PluginDescription

class Later(PluginBase):
    def run(self):
        return {"found": True}

plugin = PluginDescription(name="Later")
"""
OLD, NEW = "the-old-key-of-the-caller", "the-new-key-of-the-caller"


def answers(url: str, key: str) -> bool:
    with connect(url, api_key=key) as client:
        try:
            return bool(client.plugins())
        except Unauthorized:
            return False


def test_keys_are_asked_for_and_replaced_while_it_serves(
    start_micro: Callable[..., Any],
    run_micro: Callable[..., Any],
    wait_for: Callable[..., Any],
    good_plugins: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"caller:{OLD}\n")
    fixed = f"limited:0123456789abcdef:process,jobs:{NEW}jobs"
    micro = start_micro(
        "-G", "-p", good_plugins, "-ll", "DEBUG", MICRO_API_KEYS=fixed, MICRO_API_KEYS_FILE=str(keys)
    )
    assert micro.call("/plugins")["code"] == "unauthorized"
    with connect(micro.url, api_key="0123456789abcdef") as limited:
        assert [each["name"] for each in limited.plugins()] == ["Process"]
        assert "modules" in limited.run("process")
        with pytest.raises(Forbidden, match="may not call plugin 'Gate'"):
            limited.run("Gate", folder="x")
    monkeypatch.setenv("MICRO_API_KEY", OLD)
    with connect(micro.url) as client:
        assert client.plugins()
    done = run_micro("jobs", "--url", micro.url, MICRO_API_KEY=OLD)
    assert (done.returncode, done.stdout) == (0, "No jobs.\n")
    refused = run_micro("jobs", "--url", micro.url)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: This service asks for an API key")

    keys.write_text(f"# replaced\ncaller:{NEW}\n")
    wait_for(lambda: answers(micro.url, NEW))
    wait_for(lambda: not answers(micro.url, OLD))

    shown = run_micro("config", MICRO_API_KEYS=fixed, MICRO_API_KEYS_FILE=str(keys)).stdout
    assert str(keys) in shown
    assert micro.stop() == 0
    said = shown + micro.output() + micro.log.read_text()
    assert all(key not in said for key in (OLD, NEW, "0123456789abcdef"))


def test_a_reload_takes_over_keys_and_plugins_together(
    start_micro: Callable[..., Any], run_micro: Callable[..., Any], tmp_path: Path
) -> None:
    plugins, keys = tmp_path / "plugins", tmp_path / "keys"
    plugins.mkdir()
    keys.write_text(f"caller:{OLD}\n")
    micro = start_micro("-G", "-p", str(plugins), "--reload", "manual", MICRO_API_KEYS_FILE=str(keys))
    (plugins / "later").mkdir()
    (plugins / "later" / "interface.py").write_text(LATER)
    keys.write_text(f"limited:{NEW}:Later\n")
    done = run_micro("reload", "-pp", str(micro.pids))
    assert (done.returncode, done.stdout) == (0, "Micro serves generation 2: 1 plugin\n")
    with connect(micro.url, api_key=NEW) as client:
        assert client.run("later") == {"found": True}
    assert not answers(micro.url, OLD)

    keys.write_text("limited:short\n")
    refused = run_micro("reload", "-pp", str(micro.pids))
    assert refused.returncode == 1
    assert "key 1 ('limited'): expected 16 to 512" in refused.stderr
    assert answers(micro.url, NEW)
    assert micro.stop() == 0


@pytest.mark.measured
@pytest.mark.parametrize(
    ("env", "message"),
    [
        (
            {"MICRO_API_KEYS": "ci:secret"},
            "Setting 'api_keys' (MICRO_API_KEYS): key 1 ('ci'): expected 16 to",
        ),
        ({"MICRO_API_KEYS_FILE": "gone"}, "gone' cannot be read: No such file or directory."),
    ],
)
def test_without_the_keys_it_was_told_of_it_does_not_start(
    run_micro: Callable[..., Any], env: dict[str, str], message: str
) -> None:
    done = run_micro("-G", **env)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
