"""The alert rules: loaded by Prometheus' own tool, provoked, and explained on a page each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy import questions
from tests.deploy.tools import DEPLOY, ROOT, run

ALERTS = questions.alerts()
PAGES = ROOT / "docs" / "how-to" / "alerts"
TESTS = DEPLOY / "prometheus" / "alerts.test.yaml"


def trials() -> list[dict[str, Any]]:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    return [trial for test in tests for trial in test["alert_rule_test"]]


def test_prometheus_accepts_the_configuration_and_the_rules() -> None:
    done = run("promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yaml")
    assert done.returncode == 0, done.stderr + done.stdout
    assert f"{len(ALERTS)} rules found" in done.stdout + done.stderr


def test_every_alert_fires_when_it_is_provoked_and_keeps_quiet_when_not() -> None:
    done = run("promtool", "test", "rules", TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_never_fires_would_be_found(tmp_path: Path) -> None:
    dead = questions.ALERTS.read_text().replace(
        "max(earshot_ledger_difference) > 0", "vector(0) > 1"
    )
    (tmp_path / "alerts.yaml").write_text(dead)
    (tmp_path / TESTS.name).write_text(TESTS.read_text())
    done = run("promtool", "test", "rules", tmp_path / TESTS.name)
    assert done.returncode != 0
    assert "EarshotLedgerDifference" in done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_is_provoked_once(name: str) -> None:
    assert any(trial["exp_alerts"] for trial in trials() if trial["alertname"] == name)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_every_alert_says_how_bad_it_is_since_when_and_where_to_read_on(name: str) -> None:
    rule = ALERTS[name]
    assert rule["for"]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    page = ROOT / rule["annotations"]["runbook_url"]
    assert page.parent == PAGES
    assert page.read_text().startswith(f"# {name}\n"), f"{page} is not the page of {name}"


def test_every_page_belongs_to_an_alert_and_is_in_the_index() -> None:
    linked = {(ROOT / rule["annotations"]["runbook_url"]).name for rule in ALERTS.values()}
    assert {page.name for page in PAGES.glob("*.md")} == linked | {"README.md"}
    index = (PAGES / "README.md").read_text()
    assert all(f"({name})" in index for name in linked)


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_a_page_says_what_it_means_what_to_do_and_when_it_is_harmless(name: str) -> None:
    text = (ROOT / ALERTS[name]["annotations"]["runbook_url"]).read_text()
    for head in ("## What it means", "## See more", "## What to do", "## When it is harmless"):
        assert head in text, f"{name}: {head}"
