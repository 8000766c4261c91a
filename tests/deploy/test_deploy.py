"""The files of ``deploy/``, compose.yaml and the Dockerfile: valid, and true to what Micro has."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from micro.config.settings import table, variable
from micro.testing import WritePlugins

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
RESOURCES = ("config.yaml", "rest.yaml", "worker.yaml")
UNIT = ROOT / "deploy" / "systemd" / "micro.service"
FILES = [*(ROOT / "deploy").rglob("*.*"), ROOT / "compose.yaml", ROOT / "Dockerfile"]
# What the file names a configuration file with is no setting.
NO_SETTINGS = {"MICRO_CONFIG_FILE"}


def _objects() -> Iterator[dict[str, Any]]:
    for name in RESOURCES:
        yield from yaml.safe_load_all((KUBERNETES / name).read_text())


def _containers() -> Iterator[dict[str, Any]]:
    for each in _objects():
        if each["kind"] == "Deployment":
            yield from each["spec"]["template"]["spec"]["containers"]


@pytest.mark.parametrize("each", [*_objects()], ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_kubernetes_knows_every_field(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_names_every_resource() -> None:
    named = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert tuple(named) == RESOURCES


def test_compose_accepts_the_file_and_brings_up_what_it_says() -> None:
    # The parser of PyCompose knows no merge keys, which Compose does.
    content = yaml.safe_load((ROOT / "compose.yaml").read_text())
    PyCompose.from_json(json.dumps(content)).validate()
    services = content["services"]
    assert set(services) == {"rest", "worker", "rabbitmq", "postgresql", "prometheus"}
    assert {name: services[name]["deploy"]["replicas"] for name in ("rest", "worker")} == {
        "rest": 2,
        "worker": 2,
    }


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if not analyze:
        pytest.skip("there is no systemd-analyze")
    # It looks whether the command is there; where Micro is installed differs.
    command = shutil.which("micro", path=sysconfig.get_path("scripts")) or sys.executable
    unit = tmp_path / "micro.service"
    unit.write_text(UNIT.read_text().replace("/opt/micro/bin/micro", command))
    verified = subprocess.run([analyze, "verify", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_variable_is_that_of_a_setting(file: Path) -> None:
    named = set(re.findall(r"\bMICRO_[A-Z_]+\b", file.read_text()))
    assert named <= {variable(each) for each in table()} | NO_SETTINGS


def test_the_paths_that_are_asked_are_there(plugin_dir: WritePlugins) -> None:
    from micro.api.rest import create_app
    from micro.config.loading import load_settings

    app = create_app(load_settings({"plugin_path": str(plugin_dir({}))}, {}))
    probes = {
        probe["httpGet"]["path"]
        for each in _containers()
        for name, probe in each.items()
        if name.endswith("Probe") and "httpGet" in probe
    }
    assert probes == {"/livez", "/readyz"}
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    for path in (*probes, *(each["metrics_path"] for each in scraped)):
        assert app.test_client().get(path).status_code == 200, path


def test_processes_get_longer_to_stop_than_micro_takes() -> None:
    stop_timeout = next(each.default for each in table() if each.name == "stop_timeout")
    pods = [each["spec"]["template"]["spec"] for each in _objects() if each["kind"] == "Deployment"]
    seconds = [pod["terminationGracePeriodSeconds"] for pod in pods]
    seconds.append(int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.MULTILINE)[0]))
    micro = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-micro"]
    seconds.append(int(micro["stop_grace_period"].removesuffix("s")))
    assert min(seconds) > stop_timeout + 5


def test_a_container_may_write_where_micro_does() -> None:
    wanted = {str(each.default) for each in table() if each.name.endswith("_folder_path")}
    for container in _containers():
        assert wanted <= {each["mountPath"] for each in container["volumeMounts"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert all(folder in dockerfile for folder in wanted)
