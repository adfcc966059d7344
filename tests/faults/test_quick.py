"""A short plan of faults in every test run: nothing lost, nothing doubled, all roles killed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from tests.conftest import unavailable
from tests.faults.plan import ROLES, Kind, draw
from tests.services import kafka, postgres
from tests.system import ROOT

MENTIONS, REPLIES, FAULTS = 20_000, 60, 16


def run(backend: str) -> dict[str, Any]:
    """What a run has found, in a process of its own: client libraries that lose a broker leak."""
    options = {
        "--backend": backend,
        "--mentions": MENTIONS,
        "--replies": REPLIES,
        "--faults": FAULTS,
        "--seed": 20_261_122,
        "--span": 18,
        "--longest": 3,
        "--responders": 8,
    }
    words = [str(word) for pair in options.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.run", "--json", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-6_000:]}"
    found: dict[str, Any] = msgspec.json.decode(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("backend", ["sqlite", pytest.param("kafka", marks=pytest.mark.services)])
def test_no_fault_loses_or_doubles_a_mention_or_a_reply(backend: str) -> None:
    missing = (kafka.missing() or postgres.missing()) if backend == "kafka" else ""
    if missing:
        unavailable(missing)
    found = run(backend)
    assert found["faults"] == FAULTS, found
    assert found["faults_by_kind"]["kill"] >= len(ROLES)
    assert found["mentions"] >= MENTIONS
    assert found["replies"] >= REPLIES
    assert found["replies_ended"]["confirmed"] > REPLIES // 2


def test_a_plan_is_the_same_for_a_seed_and_kills_every_role_first() -> None:
    targets = {Kind.KILL: ROLES, Kind.STOP: ROLES, Kind.STORM: ("429", "503"), Kind.RESET: ()}
    plan = draw(7, 40, 100.0, targets)
    assert plan == draw(7, 40, 100.0, targets)
    assert plan != draw(8, 40, 100.0, targets)
    assert len(plan) == 40
    pairs = {(fault.kind, fault.target) for fault in plan}
    assert pairs == {(kind, target) for kind, those in targets.items() for target in those}
    assert [fault.at_s for fault in plan] == sorted(fault.at_s for fault in plan)
    assert all(0 <= fault.at_s <= 100 for fault in plan)
    few = {(f.kind, f.target) for f in draw(7, len(ROLES), 100.0, targets)}
    assert few == {(Kind.KILL, role) for role in ROLES}
