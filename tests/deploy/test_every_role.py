"""A role is watched wherever it runs: scraped, missed when it is gone, and let through."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from earshot.runtime.role import ROLES
from earshot.settings import Telemetry
from operations.checks.roles import NEEDED
from tests.deploy.test_containers import DEMO_ROLES
from tests.deploy.tools import DEPLOY, ROOT

PORTS = {role: Telemetry().port + number for number, role in enumerate(ROLES)}
WATCHED = [role for role in ROLES if role not in DEMO_ROLES]


def read(name: str) -> list[Any]:
    return list(yaml.safe_load_all((DEPLOY / name).read_text()))


@pytest.mark.parametrize("role", WATCHED)
def test_prometheus_beside_compose_scrapes_it(role: str) -> None:
    (config,) = read("prometheus/prometheus.yaml")
    (job,) = config["scrape_configs"]
    targets = {one["names"][0]: one["port"] for one in job["dns_sd_configs"]}
    assert targets[role] == PORTS[role]


@pytest.mark.parametrize("role", WATCHED)
def test_the_how_to_says_where_to_scrape_it(role: str) -> None:
    text = (ROOT / "docs/how-to/monitor.md").read_text()
    assert f"- 127.0.0.1:{PORTS[role]} # {role}\n" in text


@pytest.mark.parametrize("role", WATCHED)
def test_it_is_missed_when_nobody_runs_it(role: str) -> None:
    (rules,) = read("prometheus/alerts.yaml")
    every = [rule for group in rules["groups"] for rule in group["rules"]]
    (down,) = [rule for rule in every if rule["alert"] == "EarshotRoleDown"]
    assert re.search(rf'absent\(\w+{{role="{role}"}}\)', down["expr"])


def test_the_network_lets_prometheus_reach_all_of_them() -> None:
    policy = read("kubernetes/network.yaml")[0]
    (ports,) = policy["spec"]["ingress"][0]["ports"]
    assert (ports["port"], ports["endPort"]) == (min(PORTS.values()), max(PORTS.values()))


def test_doctor_misses_every_role_that_works_by_itself() -> None:
    assert {*NEEDED, "serve"} == set(WATCHED)
