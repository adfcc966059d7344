"""Every named step of the path is a place where a process ends, and nothing comes of it."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import pytest

from earshot.database import db
from earshot.runtime import crash_points
from earshot.runtime.crash_points import EXIT_CODE, POINTS, CrashPoint
from tests.faults import history
from tests.faults.backend import OnSqlite, open_log
from tests.faults.history import Findings
from tests.faults.mortal_roles import MortalRoles
from tests.faults.nemesis import Nemesis
from tests.faults.plan import ROLES, Fault, Kind
from tests.faults.responders import Responders
from tests.faults.run import Books, install, stored
from tests.faults.world import World
from tests.system import ROOT, System, wait_until

POSTS = 3_000
RATE = 150.0
REPLIES = 60

PASSED_BY = {
    "collect": ("collect",),
    "stage": ("classify", "route"),
    "route": ("route",),
    "offer": ("sweep",),
    "dead_letters": ("maintain",),
    "send": ("send",),
    "look": ("send",),
}
"""Which roles pass the points whose names begin so."""


def expected() -> set[str]:
    return {f"{role}.{point}" for point in POINTS for role in PASSED_BY[point.split(".")[0]]}


def poison(nemesis: Nemesis, seed: int) -> None:
    for topic in ("mentions", "classified"):
        fault = Fault(at_s=0, kind=Kind.POISON, target=topic, seconds=0, seed=seed)
        nemesis._poison(fault)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_process_that_ends_at_any_step_loses_nothing_and_doubles_nothing(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    world = World(tmp_path / "platform", POSTS, RATE, seed=11)
    backend = OnSqlite(tmp_path, disk_mb=0)
    system = install(backend, world, tmp_path)
    subprocess.run(system.command("db", "upgrade"), cwd=ROOT, env=system.variables(), check=True)
    engine = db.connect(backend.database_url)
    request.addfinalizer(engine.dispose)
    open_log(backend).close()
    responders = Responders(engine, count=8, wanted=REPLIES)
    responders.hire()
    system.env = {**system.env, "EARSHOT_CRASH_AT": "all"}
    roles = MortalRoles(system, ROLES)
    request.addfinalizer(roles.stop)
    roles.start()
    responders.start()
    request.addfinalizer(responders.stop)

    nemesis = Nemesis(system, backend, world)
    dice = random.Random(4)
    crashed = system.home / "crashed"

    def left() -> set[str]:
        done = {path.name for path in crashed.iterdir()} if crashed.exists() else set()
        if any("dead_letters" in name for name in expected() - done):
            poison(nemesis, dice.randrange(2**31))  # with no dead letter there is no step
        return expected() - done

    wait_until(lambda: stored(engine) > 0, 120, lambda: f"storing; {system.tail()}")
    wait_until(
        lambda: not left(), 240, lambda: f"ended at {sorted(left())}; {system.tail()}", every_s=1
    )
    wait_until(lambda: len(responders.queued) >= REPLIES, 120, lambda: f"answered; {system.tail()}")
    Books(engine, backend, world, nemesis, system).wait_until_closed(lambda: None)
    roles.stop()
    ends = {
        role: sum(n for (r, code), n in roles.ends.items() if r == role and code == EXIT_CODE)
        for role in ROLES
    }
    assert sum(ends.values()) == len(expected())
    assert not responders.failures
    assert system.ledger()["exit_code"] == 0

    findings = Findings()
    with db.open_readers(engine).begin() as session:
        history.check_all(session, world, responders.queued, nemesis.poison, findings)
    assert not +findings.counts, findings.examples
    assert findings.mentions == len(world.truth().revisions)
    assert findings.replies == REPLIES


def test_every_step_that_the_code_names_is_known_and_passed_by_a_role() -> None:
    named = set()
    for folder in ("collectors", "classifier", "router", "dashboard", "operations", "earshot"):
        for path in (ROOT / folder).rglob("*.py"):
            named |= set(re.findall(r'passed\("([a-z_.]+)"\)', path.read_text()))
    assert named == set(POINTS)
    assert {point.split(".")[0] for point in POINTS} == set(PASSED_BY)


def test_an_unknown_step_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    system = System(tmp_path / "home", env={"EARSHOT_CRASH_AT": "send.caled"})
    done = subprocess.run(
        system.command("send"),
        cwd=ROOT,
        env=system.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "'send.caled' is no point" in done.stderr
    assert "send.called" in done.stderr


def test_without_the_variable_nothing_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[CrashPoint] = []
    crash_points.watch(seen.append)
    crash_points.passed("send.read")
    crash_points.watch(None)
    crash_points.passed("send.called")
    assert seen == ["send.read"]
