"""Micro: the four operations, and what a plugin may rely on around its runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress

import pytest

from micro.errors import BadResult, MicroError, PluginError, PluginFailed, PluginNotFound
from micro.plugin.context import RunContext
from micro.service import Micro


@pytest.fixture
def plugin(load, interface) -> Callable[[str], Micro]:
    """Make Micro with a plugin whose class has this body."""
    return lambda body: load({"plugin/interface.py": interface(body)})


def run(micro: Micro, name: str = "Plugin", **params: object) -> dict[str, object]:
    result: dict[str, object] = json.loads(micro.run(name, params))
    return result


@pytest.fixture
def good(load, plugins) -> Micro:
    return load(plugins / "good")


def test_plugins_lists_name_version_and_description_in_this_order(good):
    listed = {each["name"]: each for each in good.plugins()}
    assert list(listed["Plain"].items()) == [
        ("name", "Plain"),
        ("version", "1.2.3"),
        ("description", "As plain as can be"),
    ]
    assert listed["Circle"] == {"name": "Circle", "version": None, "description": None}


def test_info_begins_with_the_keys_of_the_contract_in_their_order(good):
    assert list(good.info("plain").items())[:7] == [
        ("name", "Plain"),
        ("version", "1.2.3"),
        ("url", "https://plain.example"),
        ("author", "Ada"),
        ("author_email", "ada@plain.example"),
        ("description", "As plain as can be"),
        ("long_description", "Returns the same, always"),
    ]


def test_info_tells_the_parameters_and_the_origin(good, plugins):
    told = good.info("plain")
    assert told["parameters"]["properties"] == {}
    assert told["origin"] == f"folder {plugins / 'good' / 'plain'}"


def test_help_begins_with_the_keys_of_the_contract_in_their_order(good):
    assert list(good.help("PLAIN").items()) == [
        ("name", "Plain"),
        ("version", "1.2.3"),
        ("help", "No parameters"),
        ("examples", [{"params": {}, "result": {"from": "plain"}}]),
    ]


@pytest.mark.parametrize("operation", ["info", "help", "run"])
def test_an_unknown_plugin_is_not_found(good, operation):
    arguments = ({},) if operation == "run" else ()
    with pytest.raises(PluginNotFound, match="did you mean 'Plain'"):
        getattr(good, operation)("plian", *arguments)


def test_run_returns_json_text(plugin):
    micro = plugin("def run(self, text: str): return {'text': text}")
    assert micro.run("plugin", {"text": "ä"}) == '{"text":"ä"}'


def test_every_run_has_an_instance_of_its_own(plugin):
    micro = plugin("""
        count = 0

        def run(self):
            self.count += 1
            return {"count": self.count}
    """)
    assert [run(micro), run(micro)] == [{"count": 1}] * 2


def test_a_coroutine_is_run_to_its_end(plugin):
    micro = plugin("""
        async def run(self, seconds: float = 0):
            import asyncio
            await asyncio.sleep(seconds)
            return {"slept": seconds}
    """)
    assert run(micro) == {"slept": 0}


def test_a_plugin_that_was_loaded_already_can_be_passed(good):
    assert run(Micro(good.settings, good.loaded), "Plain") == {"from": "plain"}


def test_names_that_others_add_to_the_builtins_are_seen_by_the_next_run(plugin, monkeypatch):
    micro = plugin("def run(self): return {'said': say_it}")
    monkeypatch.setattr("builtins.say_it", "hello", raising=False)
    assert run(micro) == {"said": "hello"}


RAISES = {
    "ValueError": "raise ValueError('s3cret is wrong')",
    "TypeError": "return len(5)",
    "SystemExit": "raise SystemExit(3)",
    "RecursionError": "return self.run()",
    "StopIteration": "raise StopIteration",
    "GeneratorExit": "raise GeneratorExit",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "BaseException": "raise BaseException('as extensions written in other languages do')",
    "ExceptionGroup": "raise ExceptionGroup('several', [ValueError()])",
}


@pytest.mark.parametrize("kind", RAISES)
def test_a_plugin_that_breaks_says_little_to_the_caller_and_all_to_the_log(plugin, caplog, kind):
    micro = plugin(f"def run(self): {RAISES[kind]}")
    with pytest.raises(PluginFailed) as caught:
        micro.run("plugin", {}, RunContext("rest", "request-7"))
    sentence = "Plugin 'Plugin' failed; the log has the cause under request request-7"
    assert caught.value.message == sentence
    assert type(caught.value.__cause__).__name__ == kind
    [line] = caplog.records
    assert line.getMessage() == "Plugin 'Plugin' failed in request request-7"
    assert kind in caplog.text


def test_a_plugin_that_cancels_its_own_coroutine_fails(plugin):
    micro = plugin("""
        async def run(self):
            import asyncio
            asyncio.current_task().cancel()
            await asyncio.sleep(0)
    """)
    with pytest.raises(PluginFailed):
        run(micro)


def test_an_interrupt_of_who_calls_from_python_is_not_the_plugins_failure(plugin):
    with pytest.raises(KeyboardInterrupt):
        run(plugin("def run(self): raise KeyboardInterrupt"))


@pytest.mark.parametrize("result", ["None", "[1]", "'text'", "{'it': object()}", "{'it': float('nan')}"])
def test_a_result_that_is_no_json_object_is_the_plugins_fault_and_is_logged(plugin, caplog, result):
    with pytest.raises(BadResult):
        run(plugin(f"def run(self): return {result}"))
    assert caplog.records[0].getMessage().startswith("Plugin 'Plugin' failed in request ")


def test_a_result_that_breaks_while_it_is_written_fails_the_run(plugin):
    micro = plugin("""
        def run(self):
            def numbers():
                yield 1
                raise LookupError("gone")
            return {"numbers": numbers()}
    """)
    with pytest.raises((PluginFailed, BadResult)):
        run(micro)


def test_a_plugin_error_passes_with_its_status_and_code(plugin, caplog):
    with pytest.raises(PluginError) as caught:
        run(plugin("def run(self): raise PluginError('sold out', status=409, code='sold-out')"))
    assert (caught.value.message, caught.value.status, caught.value.code) == ("sold out", 409, "sold-out")
    assert caplog.records == []


@pytest.mark.parametrize(
    "params", [{"text": "s3cret"}, {"text": "s3cret", "number": 2}, {"text": ["s3cret"]}, {"s3cret": 1}]
)
def test_parameter_values_are_not_logged_above_debug(plugin, caplog, params):
    micro = plugin("def run(self, text: str, number: int = 1): return {'half': 1 / (number - 1)}")
    with caplog.at_level(logging.DEBUG), suppress(MicroError):
        micro.run("plugin", params)
    logged = [logging.Formatter().format(each) for each in caplog.records if each.levelno > logging.DEBUG]
    assert "s3cret" not in "".join(logged)
