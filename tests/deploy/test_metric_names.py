"""Alerts and dashboard name only what running roles expose, labels included."""

from __future__ import annotations

import contextlib
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from earshot.runtime.role import ROLES
from tests.deploy import questions
from tests.deploy.questions import Selector, Series, selectors
from tests.services.ports import HOST, answers, free_ports
from tests.system import System, wait_until

EXPRESSIONS = questions.expressions()

TARGET = {"job": "earshot", "instance": "here:1"}
"""The labels that Prometheus adds to each series of a target, as in deploy/prometheus/."""


def a_row_of_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    while True:
        (first,) = free_ports(1)
        if first + count < 65_536 and not any(answers(first + n) for n in range(count)):
            return first


def scrape(port: int) -> Iterator[Series]:
    """Every series of one role as Prometheus keeps it: an empty label is none."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    yield {"__name__": "up"} | TARGET
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {label: value for label, value in sample.labels.items() if value}
            yield {"__name__": sample.name} | labels | TARGET


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Series]]:
    """What all roles of an installation expose once each has worked."""
    first, (web,) = a_row_of_ports(len(ROLES)), free_ports(1)
    env = {"EARSHOT_TELEMETRY__PORT": str(first), "PORT": str(web)}
    system = System(tmp_path_factory.mktemp("metrics"), env=env)
    system.start()
    found: list[Series] = []

    def all_have_worked() -> bool:
        found.clear()
        with contextlib.suppress(OSError):
            for number in range(len(ROLES)):
                found.extend(scrape(first + number))
        worked = (
            'earshot_wait_seconds_bucket{role="route"}',
            'earshot_ledger_difference{role="maintain"}',
            'earshot_request_seconds_bucket{role="serve"}',
        )
        return all(any(matches(one, series) for series in found) for one in worked)

    try:
        wait_until(all_have_worked, 100, "exposing what every role tells", every_s=0.5)
        yield found
    finally:
        system.stop()


def matches(selector: str, series: Series) -> bool:
    return all(one.selects(series) for one in selectors(selector))


@pytest.mark.parametrize("who", sorted(EXPRESSIONS))
def test_everything_that_is_asked_for_is_exposed(who: str, series: Sequence[Series]) -> None:
    asked = list(selectors(EXPRESSIONS[who]))
    assert asked
    for selector in asked:
        chosen = [one for one in series if selector.selects(one)]
        assert chosen, f"{who} asks for {selector}, which no role exposes"
        for label in questions.kept_labels(EXPRESSIONS[who]):
            assert any(label in one for one in chosen), f"{who}: {selector} has no label {label}"


@pytest.mark.parametrize(
    "wrong", ["earshot_log_lags", 'earshot_log_lag{topic="mention"}', 'up{job!~"ear.*"}']
)
def test_a_name_or_a_label_that_is_not_exposed_would_be_found(
    wrong: str, series: Sequence[Series]
) -> None:
    (selector,) = selectors(wrong)
    assert isinstance(selector, Selector)
    assert not any(selector.selects(one) for one in series)
