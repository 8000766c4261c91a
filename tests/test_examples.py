"""Each plugin of plugins_example does what it says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from micro.api.rest import create_app
from micro.errors import PluginError
from micro.service import Micro

EXAMPLES = Path(__file__).parents[1] / "plugins_example"


@pytest.fixture
def micro(load) -> Micro:
    return load(EXAMPLES)


def run(micro: Micro, name: str, /, **params: object) -> dict[str, object]:
    result: dict[str, object] = json.loads(micro.run(name, params))
    return result


def test_the_examples_load_and_describe_themselves(micro):
    listed = {each["name"]: each for each in micro.plugins()}
    assert {"Greeting", "CSV Statistics"} <= listed.keys()
    assert all(each["version"] and each["description"] for each in listed.values())
    assert micro.loaded.failed == []


def test_greeting_greets(micro):
    assert run(micro, "greeting", name="Micro") == {"msg": "Hello Micro!"}
    assert run(micro, "Greeting", name="you", times=2) == {"msg": "Hello you! Hello you!"}


def test_csv_statistics_summarizes_its_sample(micro):
    columns = run(micro, "csv-statistics")["columns"]
    assert columns == {
        "flipper_mm": {
            "count": 6,
            "mean": 199.333333,
            "median": 194.0,
            "stdev": 16.609903,
            "min": 181.0,
            "max": 230.0,
        },
        "mass_g": {
            "count": 6,
            "mean": 4191.666667,
            "median": 3850.0,
            "stdev": 739.603873,
            "min": 3500.0,
            "max": 5700.0,
        },
    }


def test_csv_statistics_summarizes_a_table_of_the_caller(micro):
    told = run(micro, "csv-statistics", csv="name;size\na;1\nb;\nc;3\n", delimiter=";")
    assert told == {"columns": {"size": {"count": 2, "mean": 2, "median": 2, "stdev": 1, "min": 1, "max": 3}}}


@pytest.mark.parametrize(
    ("params", "code"),
    [({"delimiter": ""}, "bad_delimiter"), ({"csv": "name\na\n"}, "no_numbers"), ({"csv": ""}, "no_numbers")],
)
def test_csv_statistics_says_what_it_cannot_do(micro, params, code):
    with pytest.raises(PluginError) as caught:
        run(micro, "csv-statistics", **params)
    assert (caught.value.status, caught.value.code) == (422, code)


@pytest.fixture(scope="module")
def run_times(tmp_path_factory) -> Path:
    """The example package, installed by pip into a folder of its own."""
    pytest.importorskip("setuptools", "77", reason="the package is built with setuptools 77 or newer")
    folder = tmp_path_factory.mktemp("run-times")
    # A copy, as building writes beside the sources.
    source = shutil.copytree(EXAMPLES / "_packages" / "run-times", folder / "source")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", folder / "site"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True, timeout=60)
    return folder / "site"


def test_the_package_is_found_where_it_is_installed(run_times, monkeypatch, load):
    monkeypatch.syspath_prepend(run_times)
    plugin = load({}).loaded.find("run-times")
    assert (plugin.name, plugin.version, plugin.author) == ("Run Times", "1.0.0", "The Micro team")
    assert plugin.summary == "Tells how long the runs of each plugin take"
    assert plugin.origin == "package micro-run-times 1.0.0"


def test_the_package_times_the_runs_of_all_plugins(run_times, monkeypatch, load):
    monkeypatch.syspath_prepend(run_times)
    client = create_app(micro=load(EXAMPLES)).test_client()
    for status in (200, 422):
        assert (
            client.post("/run/csv-statistics", json={"delimiter": "," * (status // 200)}).status_code
            == status
        )
    times = client.post("/run/run-times").json["CSV Statistics"]
    assert times["runs"] == 2
    assert times["total_ms"] >= times["longest_ms"] > 0
