"""Dockerfile and compose.yaml name only what is there: commands, settings, files, services."""

from __future__ import annotations

import json
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import compose_spec
import pytest
import yaml

from docs.system_pages import walk
from earshot import __version__
from earshot.runtime.metrics import Metrics
from earshot.runtime.role import ROLES
from earshot.runtime.telemetry import HealthServer, Probe
from earshot.settings import Telemetry, load
from operations.cli import main
from tests.deploy import tools
from tests.deploy.tools import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if "build" in service)
COMMANDS = dict(walk(main, ("earshot",)))
DEMO_ROLES = {"crew"}
"""Simulated colleagues are no part of a deployment."""


def dockerfile() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, each with what stands behind it."""
    text = (ROOT / "Dockerfile").read_text()
    bare = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    lines = [line for line in bare.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def instructions(name: str) -> Iterator[str]:
    return (rest for word, rest in dockerfile() if word == name)


def assert_is_a_command(words: list[str]) -> None:
    """Walk from group to group as click does; the last step reads options and arguments."""
    called: tuple[str, ...] = ("earshot",)
    while isinstance(COMMANDS[called], click.Group):
        assert words, f"a command is missing behind {called}"
        called, words = (*called, words[0]), words[1:]
        assert called in COMMANDS, f"{called} is no command"
    COMMANDS[called].make_context(called[-1], words)


def read_as_settings(variables: Mapping[str, Any]) -> None:
    """Load the variables as a process would: a misspelt one is an error."""
    given = {name: re.sub(r"\$\{[^}]*\}", "word", str(text)) for name, text in variables.items()}
    load(None, given)


def test_compose_accepts_the_file() -> None:
    compose_spec.PyCompose.from_yaml(yaml.safe_dump(COMPOSE))


@pytest.mark.parametrize(
    ("where", "wrong"),
    [
        ("restart", "sometimes"),
        ("healthchek", {"disable": True}),
        ("stop_grace_period", "soon"),
        ("depends_on", {"migrate": {"condition": "when_ready"}}),
    ],
)
def test_a_service_that_compose_would_refuse_is_found(where: str, wrong: object) -> None:
    services = {**SERVICES, "serve": {**SERVICES["serve"], where: wrong}}
    with pytest.raises(ValueError, match=r"services\.serve"):
        compose_spec.PyCompose.from_yaml(yaml.safe_dump({**COMPOSE, "services": services}))


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    done = tools.run("hadolint", ROOT / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_dockerfile_with_a_fault_is_found(tmp_path: Path) -> None:
    faulty = tmp_path / "Dockerfile"
    faulty.write_text((ROOT / "Dockerfile").read_text() + "\nRUN cd /app\nUSER root\n")
    done = tools.run("hadolint", faulty)
    assert done.returncode != 0
    assert {"DL3002", "DL3003"} <= set(re.findall(r"DL\d{4}", done.stdout))


@pytest.mark.parametrize("name", OURS)
def test_every_service_runs_a_command_that_exists(name: str) -> None:
    assert_is_a_command(SERVICES[name]["command"])


@pytest.mark.parametrize("name", OURS)
def test_every_variable_of_a_service_is_a_setting(name: str) -> None:
    read_as_settings(SERVICES[name]["environment"])


def test_every_role_is_a_service() -> None:
    assert {SERVICES[name]["command"][0] for name in OURS} == {*ROLES, "db"} - DEMO_ROLES


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_for_services_that_exist_and_can_tell(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        if wait["condition"] == "service_healthy":
            assert SERVICES[other]["healthcheck"]["test"]
        else:
            assert wait["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"] != "unless-stopped"


def test_every_named_volume_is_declared() -> None:
    used = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}
    assert {name for name in used if not name.startswith(".")} == set(COMPOSE["volumes"])


def test_no_port_is_open_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_sets_only_settings() -> None:
    pairs = dict(pair.split("=", 1) for rest in instructions("ENV") for pair in rest.split())
    read_as_settings(pairs)


def test_the_image_runs_a_command_that_exists_and_not_as_root() -> None:
    (command,), (entry,) = instructions("CMD"), instructions("ENTRYPOINT")
    assert json.loads(entry) == ["earshot"]
    assert_is_a_command(json.loads(command))
    (user,) = instructions("USER")
    assert int(user) > 0, "by number, or Kubernetes can't tell that it is not root"
    assert any(f"--uid {user}" in made for made in instructions("RUN"))


def test_the_image_copies_what_the_checkout_holds_and_the_context_lets_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    for rest in instructions("COPY"):
        if rest.startswith("--from"):
            continue
        *sources, _ = rest.split()
        for source in sources:
            assert (ROOT / source.removeprefix("./")).exists(), source
            assert source.split("/")[0] in let_through, source


def test_the_image_holds_every_package_that_is_installed() -> None:
    copied = {word for rest in instructions("COPY") for word in rest.split()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    installed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert "operations" in installed
    assert set(installed) <= copied


def health_check() -> list[str]:
    (rest,) = instructions("HEALTHCHECK")
    command: list[str] = json.loads(rest.partition(" CMD ")[2])
    return command


def test_the_health_check_asks_the_ports_of_all_roles() -> None:
    first = Telemetry().port
    assert f"{{{first}..{first + len(ROLES) - 1}}}" in health_check()[-1]


@pytest.mark.parametrize(("stuck_after_s", "status"), [(60.0, 0), (0.0, 1)], ids=["well", "stuck"])
def test_the_health_check_tells_a_role_that_is_well_from_one_that_is_stuck(
    stuck_after_s: float, status: int
) -> None:
    probe = Probe(time.monotonic, stuck_after_s=stuck_after_s)
    server = HealthServer("127.0.0.1", 0, probe, Metrics("classify"))
    try:
        *shell, script = health_check()
        asked = re.sub(r"\{\d+\.\.\d+\}", str(server.port), script)
        assert subprocess.run([*shell, asked], check=False, timeout=20).returncode == status
    finally:
        server.close()


@pytest.mark.parametrize(
    "name",
    [
        "compose.yaml",
        "deploy/kubernetes/kustomization.yaml",
        "deploy/kubernetes/before/kustomization.yaml",
        "docs/how-to/run-on-kubernetes.md",
    ],
)
def test_every_image_is_of_the_version_that_the_code_says(name: str) -> None:
    named = re.findall(r"(?:earshot:|newTag: )(\d[\w.]*)", (ROOT / name).read_text())
    assert named
    assert set(named) == {__version__}
