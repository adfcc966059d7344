"""What alert rules and the dashboard ask Prometheus, and which series that selects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser
import yaml

from tests.deploy.tools import DEPLOY

DASHBOARD = DEPLOY / "grafana" / "earshot.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yaml"

Series = Mapping[str, str]
"""The labels of a series, its name as `__name__`."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric and its matchers (label, operator, value): `earshot_log_lag{topic="mentions"}`."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def selects(self, series: Series) -> bool:
        return series["__name__"] == self.name and all(
            _fits(op, series.get(label, ""), value) for label, op, value in self.matchers
        )


def _fits(op: str, found: str, wanted: str) -> bool:
    if op in ("Equal", "NotEqual"):
        return (found == wanted) is (op == "Equal")
    return bool(re.fullmatch(wanted, found)) is (op == "Re")


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> dict[str, str]:
    """Every expression in use, by who asks it; Grafana's interval filled in."""
    asked = {name: rule["expr"] for name, rule in alerts().items()}
    for panel in panels():
        for target in panel.get("targets", ()):
            place = f"panel {panel['title']!r} {target['refId']}"
            asked[place] = target["expr"].replace("$__rate_interval", "5m")
    return asked


def selectors(expr: str) -> Iterator[Selector]:
    """Every series that an expression asks for. Raises ValueError where it does not parse."""
    for node in _nodes(expr):
        if isinstance(node, promql_parser.MatrixSelector):
            yield _selector(node.vector_selector)
        elif isinstance(node, promql_parser.VectorSelector):
            yield _selector(node)


def kept_labels(expr: str) -> Iterator[str]:
    """Every label that an expression groups by."""
    for node in _nodes(expr):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            yield from node.modifier.labels


def _nodes(expr: str) -> list[promql_parser.Expr]:
    found: list[promql_parser.Expr] = []
    promql_parser.walk(promql_parser.parse(expr), found.append)
    return found


def _selector(node: promql_parser.VectorSelector) -> Selector:
    return Selector(
        name=node.name or "",
        matchers=tuple(
            (matcher.name, str(matcher.op).removeprefix("MatchOp."), matcher.value)
            for matcher in node.matchers.matchers
        ),
    )
