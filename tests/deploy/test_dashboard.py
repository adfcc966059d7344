"""The dashboard is what its panels say, and Grafana can lay it out."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import pytest
import yaml

from deploy.grafana import write
from tests.deploy import questions
from tests.deploy.tools import DEPLOY

DASHBOARD = json.loads(questions.DASHBOARD.read_text())
SERIES = [panel for panel in questions.panels() if panel["type"] != "row"]


def test_the_file_is_what_the_panels_say() -> None:
    stale = "run `make dashboard`"
    assert questions.DASHBOARD.read_text() == write.text(), stale


def test_every_panel_has_a_number_of_its_own() -> None:
    numbers = [panel["id"] for panel in questions.panels()]
    assert len(set(numbers)) == len(numbers)
    assert all(isinstance(number, int) for number in numbers)


def test_no_panel_lies_on_another_or_outside() -> None:
    grids = [panel["gridPos"] for panel in questions.panels()]
    assert all(grid["x"] + grid["w"] <= write.WIDTH for grid in grids)
    for one, other in combinations(grids, 2):
        assert not overlap(one, other), (one, other)


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    across = one["x"] < other["x"] + other["w"] and other["x"] < one["x"] + one["w"]
    down = one["y"] < other["y"] + other["h"] and other["y"] < one["y"] + one["h"]
    return across and down


def test_which_prometheus_is_asked_is_a_choice_of_the_page() -> None:
    (variable,) = DASHBOARD["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    wanted = {"type": "prometheus", "uid": f"${{{variable['name']}}}"}
    assert all(panel["datasource"] == wanted for panel in SERIES)
    assert all(target["datasource"] == wanted for p in SERIES for target in p["targets"])


@pytest.mark.parametrize("panel", SERIES, ids=lambda panel: panel["title"])
def test_every_panel_asks_something_and_says_what_is_normal(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    assert panel["description"]
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)


def test_grafana_is_told_where_its_prometheus_and_its_dashboard_are() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards/earshot.yaml").read_text())["providers"]
    compose = yaml.safe_load((DEPLOY.parent / "compose.yaml").read_text())["services"]
    assert source["type"] == "prometheus"
    assert source["url"] == "http://prometheus:9090"
    mounted = [volume.split(":")[1] for volume in compose["grafana"]["volumes"]]
    assert any(provider["options"]["path"] in place for place in mounted)
