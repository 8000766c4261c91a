"""Hooks: each implementation is called under a guard, and wrappers stand around every run."""

from __future__ import annotations

import inspect
import json
import logging
import sys

import pytest

from micro.errors import PluginError, PluginFailed
from micro.plugin import hookspecs
from micro.plugin.hook_manager import create_hook_manager

ECHO = """
    from micro import PluginBase, PluginDescription

    class Echo(PluginBase):
        def run(self, text: str = ""):
            return {"text": text, "trace": ["run"]}

    plugin = PluginDescription(name="Echo")
"""


def wrapper(name: str, options: str = "wrapper=True") -> str:
    """A plugin whose wrapper writes its name into the trace after the run."""
    return f"""
        from micro import hookimpl

        @hookimpl({options})
        def micro_run():
            result = yield
            return {{**result, "trace": [*result["trace"], {name!r}]}}
    """


def run(micro, name="Echo", **params):
    return json.loads(micro.run(name, params))


def test_every_hook_has_a_sentence_and_annotations():
    hooks = {name: value for name, value in vars(hookspecs).items() if name.startswith("micro_")}
    assert hooks.keys() == {name for name in vars(create_hook_manager().hook) if name.startswith("micro_")}
    for hook in hooks.values():
        assert inspect.getdoc(hook)
        assert hook.__annotations__.keys() == {*inspect.signature(hook).parameters, "return"}


def test_a_wrapper_may_change_a_result(load):
    micro = load({"echo/interface.py": ECHO, "wrap/interface.py": wrapper("wrap")})
    assert run(micro, text="hi") == {"text": "hi", "trace": ["run", "wrap"]}


def test_the_wrapper_loaded_last_is_the_outermost(load):
    files = {f"{name}/interface.py": wrapper(name) for name in ("a", "b", "c")}
    assert run(load({"echo/interface.py": ECHO, **files}))["trace"] == ["run", "a", "b", "c"]


def test_a_wrapper_may_ask_to_be_outermost_or_innermost(load):
    micro = load(
        {
            "echo/interface.py": ECHO,
            "a/interface.py": wrapper("a", "wrapper=True, tryfirst=True"),
            "b/interface.py": wrapper("b"),
            "c/interface.py": wrapper("c", "wrapper=True, trylast=True"),
        }
    )
    assert run(micro)["trace"] == ["run", "c", "b", "a"]


def test_a_wrapper_of_the_old_style_works_too(load):
    micro = load(
        {
            "echo/interface.py": ECHO,
            "old/interface.py": """
                from micro import hookimpl

                @hookimpl(hookwrapper=True)
                def micro_run():
                    outcome = yield
                    outcome.force_result({"wrapped": outcome.get_result()["text"]})
            """,
        }
    )
    assert run(micro, text="hi") == {"wrapped": "hi"}


def test_a_hook_is_told_the_plugin_the_checked_parameters_and_the_context(load):
    micro = load(
        {
            "echo/interface.py": ECHO,
            "spy/interface.py": """
                from micro import hookimpl

                @hookimpl
                def micro_run(plugin, params, context):
                    return {"plugin": plugin.name, "params": params, "transport": context.transport}
            """,
        }
    )
    assert run(micro, text="hi") == {"plugin": "Echo", "params": {"text": "hi"}, "transport": "python"}


def test_the_first_result_counts_and_none_leaves_it_to_the_next(load):
    answer = "from micro import hookimpl\n@hookimpl\ndef micro_run(params): return {}\n"
    micro = load(
        {
            "echo/interface.py": ECHO,
            "a/interface.py": answer.format("{'from': 'a'}"),
            "b/interface.py": answer.format("{'from': 'b'} if params.get('text') else None"),
        }
    )
    assert run(micro, text="hi") == {"from": "b"}
    assert run(micro) == {"from": "a"}


def test_a_wrapper_may_refuse_in_words_for_the_caller(load):
    micro = load(
        {
            "echo/interface.py": ECHO,
            "policy/interface.py": """
                from micro import PluginError, hookimpl

                @hookimpl(wrapper=True)
                def micro_run(params):
                    if params.get("text") == "forbidden":
                        raise PluginError("not this word", status=403, code="forbidden-word")
                    return (yield)
            """,
        }
    )
    assert run(micro, text="fine")["text"] == "fine"
    with pytest.raises(PluginError, match="not this word") as caught:
        run(micro, text="forbidden")
    assert (caught.value.status, caught.value.code) == (403, "forbidden-word")


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('before')\n    yield",
        "yield\n    raise ValueError('after')",
        "if False: yield",
        "yield\n    yield",
        "yield\n    raise SystemExit(1)",
    ],
    ids=["raises before", "raises after", "does not yield", "yields twice", "exits"],
)
def test_a_wrapper_that_breaks_fails_the_run_and_not_the_process(load, body, caplog):
    hook = f"from micro import hookimpl\n@hookimpl(wrapper=True)\ndef micro_run():\n    {body}\n"
    micro = load({"echo/interface.py": ECHO, "bad/interface.py": hook})
    with pytest.raises(PluginFailed):
        run(micro)
    assert "bad/interface.py" in caplog.text


def test_a_wrapper_sees_a_run_that_fails(load):
    micro = load(
        {
            "fails/interface.py": """
                from micro import PluginBase, PluginDescription, hookimpl

                class Fails(PluginBase):
                    def run(self):
                        raise LookupError("gone")

                @hookimpl(wrapper=True)
                def micro_run():
                    try:
                        return (yield)
                    except LookupError as err:
                        return {"instead": str(err)}

                plugin = PluginDescription(name="Fails")
            """
        }
    )
    assert run(micro, "Fails") == {"instead": "gone"}


@pytest.mark.parametrize("failure", ["ValueError('no\\n table')", "SystemExit('no table')"])
def test_a_collecting_hook_that_fails_is_logged_and_the_others_are_called(load, caplog, failure):
    hook = "from micro import hookimpl\n@hookimpl\ndef micro_app(app): {}\n"
    micro = load(
        {
            "a/interface.py": hook.format("app.append('a')"),
            "b/interface.py": f"from micro import hookimpl\n@hookimpl\ndef micro_app(app): raise {failure}\n",
            "c/interface.py": hook.format("app.append('c')"),
        }
    )
    called: list[str] = []
    with caplog.at_level(logging.DEBUG, "micro"):
        micro.loaded.call_guarded("micro_app", app=called)
    assert called == ["c", "a"]
    line, details = caplog.records
    folder = micro.settings.plugin_path[0] / "b"
    kind = failure.partition("(")[0]
    assert line.getMessage() == f"Hook micro_app of b (folder {folder}) failed: {kind}: no table"
    assert (line.levelname, line.exc_info, details.levelname) == ("ERROR", None, "DEBUG")
    assert details.exc_info


def test_tryfirst_and_trylast_order_the_collecting_hooks(load):
    hook = "from micro import hookimpl\n@hookimpl({})\ndef micro_app(app): app.append({!r})\n"
    micro = load(
        {
            "a/interface.py": hook.format("tryfirst=True", "first"),
            "b/interface.py": hook.format("", "middle"),
            "c/interface.py": hook.format("trylast=True", "last"),
        }
    )
    called: list[str] = []
    micro.loaded.call_guarded("micro_app", app=called)
    assert called == ["first", "middle", "last"]


def test_a_hook_may_leave_out_the_arguments_it_does_not_need(load):
    hook = "from micro import hookimpl\n@hookimpl\ndef micro_app(): called.append(1)\ncalled = []\n"
    micro = load({"a/interface.py": hook})
    micro.loaded.call_guarded("micro_app", app=None)
    assert sys.modules["micro_plugins.a.interface"].called == [1]


def test_a_feature_of_micro_itself_is_registered_once(load):
    micro = load({})
    micro.loaded.add_feature(json)
    micro.loaded.add_feature(json)
    assert micro.loaded.hooks.get_name(json) == "json"
