"""The pytest fixtures for plugin authors, as an author meets them."""

from __future__ import annotations

from itertools import pairwise
from textwrap import dedent

import pytest

pytest_plugins = ["pytester"]

INTERFACE = """
    from micro import PluginBase, PluginDescription

    class Hello(PluginBase):
        @classmethod
        def teardown(cls):
            print("torn down")

        def run(self, name: str):
            return {"msg": f"Hello {name}!"}

    plugin = PluginDescription(
        name="Hello", examples=[{"params": {"name": "you"}, "result": {"msg": "Hello you!"}}]
    )
"""
TESTS = """
    import json

    def test_direct(micro):
        assert json.loads(micro.run("hello", {"name": "you"})) == {"msg": "Hello you!"}

    def test_rest(rest_client):
        assert rest_client.post("/run/hello", json={"name": "you"}).json == {"msg": "Hello you!"}
        assert rest_client.post("/run/hello", json={}).status_code == 422

    def test_celery(celery_requests):
        assert json.loads(celery_requests.run.delay("hello", name="you").get()) == {"msg": "Hello you!"}
"""


@pytest.fixture
def author(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Run pytest, with warnings as errors, in a folder of files written for it."""

    def run(files: dict[str, str], *arguments: str, folder: str = ".") -> pytest.RunResult:
        for name, content in files.items():
            path = pytester.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content))
        monkeypatch.chdir(pytester.path / folder)
        # This plugin alone: what else is installed beside pytest may be slow to start.
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        # Not in this process, whose modules would be another generation afterwards.
        return pytester.runpytest_subprocess(
            "-p", "micro.testing", "-W", "error", "--rootdir", ".", *arguments
        )

    return run


@pytest.mark.parametrize("folder", ["plugins", "plugins/hello"], ids=["the plugin path", "a plugin's folder"])
def test_the_plugins_around_a_test_are_under_test(author, folder):
    files = {"plugins/hello/interface.py": INTERFACE, "plugins/hello/test_hello.py": TESTS}
    author(files, folder=folder).assert_outcomes(passed=3)


def test_the_plugin_path_may_be_named_in_the_ini_file(author):
    files = {
        "pytest.ini": "[pytest]\nmicro_plugin_path = src/plugins\n",
        "src/plugins/hello/interface.py": INTERFACE,
        "tests/test_hello.py": TESTS,
    }
    author(files).assert_outcomes(passed=3)


def test_plugins_can_be_written_by_the_test_itself(author):
    test = """
        import pytest

        @pytest.fixture
        def micro_plugin_path(plugin_dir):
            source = '''
                from micro import PluginBase, PluginDescription

                class Plugin(PluginBase):
                    def run(self):
                        return {}

                plugin = PluginDescription(name=__package__)
            '''
            plugin_dir({"bye/interface.py": source})
            return plugin_dir({"hello/interface.py": source})

        def test_both(micro):
            assert [each["name"] for each in micro.plugins()] == ["micro_plugins.bye", "micro_plugins.hello"]
    """
    author({"test_own.py": test}).assert_outcomes(passed=1)


def test_the_environment_changes_nothing(author, monkeypatch):
    monkeypatch.setenv("MICRO_DISABLE_PLUGINS", "hello")
    monkeypatch.setenv("MICRO_MAX_BODY_SIZE", "nonsense")
    files = {"hello/interface.py": INTERFACE, "hello/test_hello.py": TESTS}
    author(files).assert_outcomes(passed=3)


def test_what_was_set_up_is_torn_down_after_each_test(author):
    files = {"hello/interface.py": INTERFACE, "hello/test_hello.py": TESTS}
    author(files, "-k", "direct", "-rP").stdout.fnmatch_lines(["*Captured stdout teardown*", "torn down"])


EXAMPLE_TEST = """
    import json

    def test_example(micro, plugin_example):
        result = micro.run(plugin_example.plugin, plugin_example.params)
        assert json.loads(result) == plugin_example.result
"""


@pytest.mark.measured
@pytest.mark.parametrize(
    "file", ["test_all.py", "hello/test_own.py"], ids=["the plugin path", "a plugin's folder"]
)
def test_each_example_of_a_plugin_is_a_test(author, file):
    other = INTERFACE.replace("Hello", "Other")
    files = {"hello/interface.py": INTERFACE, "other/interface.py": other, file: EXAMPLE_TEST}
    result = author(files, "-v")
    both = file == "test_all.py"
    result.assert_outcomes(passed=1 + both)
    result.stdout.fnmatch_lines(
        ["*test_example?Hello-1? PASSED*", *["*test_example?Other-1? PASSED*"] * both]
    )


def test_examples_of_a_plugin_that_does_not_load_are_not_passed_over(author):
    result = author({"hello/interface.py": "import nothing_here\n", "hello/test_own.py": EXAMPLE_TEST})
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*Plugin 'hello' was left out: *No module named 'nothing_here'*"])


def test_each_fixture_is_explained(author):
    lines = author({}, "--fixtures").outlines
    explained = {
        line.partition(" -- ")[0]: next_line.strip() for line, next_line in pairwise(lines) if " -- " in line
    }
    own = ("plugin_dir", "micro_plugin_path", "micro_settings", "micro", "rest_client", "celery_requests")
    assert all(explained[name] not in ("", "no docstring available") for name in own)
