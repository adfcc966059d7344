"""One fault run: the whole system, a world that talks, people who answer, and a plan of faults.

    python -m tests.faults.run --backend sqlite --mentions 100000 --replies 5000 --faults 350

Prints one line of JSON with what was found, and ends with 1 unless all that must be 0 is 0.
`docs/explanation/reliability.md` says what each name means.
"""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Engine, Select, func, select
from sqlalchemy.exc import DBAPIError

from earshot.database import db
from earshot.database.tables import DeadLetterRow, MentionRow, ReplyRow
from earshot.log.contract import LogError
from operations.accounting import ledger
from tests.faults import history
from tests.faults.backend import Backend, OnKafka, OnSqlite, open_log
from tests.faults.history import PENDING, Findings
from tests.faults.nemesis import Nemesis
from tests.faults.plan import draw
from tests.faults.responders import Responders
from tests.faults.watch import MemoryWatch, idle_percent
from tests.faults.world import World
from tests.system import System, wait_until

BACKENDS = ("sqlite", "kafka", "three-brokers")

MENTIONS_PER_POST = 0.75
"""Of the world's posts somewhat more than this name the brand."""

MUST_BE_ZERO = (
    "lost",
    "duplicated",
    "lost replies",
    "double replies",
    "replies nobody wrote",
    "double assignments",
    "stuck",
    "poison not set aside",
    "dead letters that were well",
    "dead letters doubled",
    "backlog differences",
    "ledger difference",
)

SETTLE_S = 900.0
IDLE_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """How much of what. The faults and the posts are spread over `span_s` seconds."""

    backend: str
    mentions: int
    replies: int
    faults: int
    seed: int
    span_s: float
    longest_s: float
    responders: int

    @property
    def posts(self) -> int:
        return int(self.mentions / MENTIONS_PER_POST)


def make_backend(name: str, folder: Path, posts: int) -> Backend:
    if name == "sqlite":
        return OnSqlite(folder, disk_mb=192 + posts // 100)
    return OnKafka(folder, brokers=3 if name == "three-brokers" else 1)


def carry_out(
    run: Run, folder: Path, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Do all of it below `folder`; what was found. Raises AssertionError when it never settles.

    `tell` is given a line for each step.
    """
    began = time.monotonic()

    def say(what: str) -> None:
        tell(f"{time.monotonic() - began:7.1f} s  {what}")

    world = World(folder / "platform", run.posts, run.posts / (run.span_s * 0.85), run.seed)
    expected = len(world.told.revisions)
    backend = make_backend(run.backend, folder, run.posts)
    with ExitStack() as after:
        after.callback(backend.close)
        backend.start()
        system = install(backend, world, folder)
        after.callback(system.kill)
        system.start()
        engine = db.connect(backend.database_url)
        after.callback(engine.dispose)
        wait_until(lambda: stored(engine) > 0, 120, lambda: f"storing anything; {system.tail()}")
        responders = Responders(engine, run.responders, run.replies)
        say("the first mention is stored")
        responders.hire()
        responders.start()
        after.callback(responders.stop)
        memory = MemoryWatch(system)
        memory.start()
        after.callback(memory.stop)
        nemesis = Nemesis(system, backend, world)
        plan = draw(run.seed, run.faults, run.span_s, backend.targets(), longest_s=run.longest_s)
        nemesis.carry_out(plan, threading.Event())
        assert not nemesis.failures, f"{nemesis.failures} {system.tail()}"
        over = time.monotonic()
        say(f"{nemesis.done.total()} faults are over, {len(responders.queued)} replies queued")
        _wait_until_answered(engine, responders, run.replies, system)
        responders.stop()
        books = Books(engine, backend, world, nemesis, system)
        books.wait_until_closed(lambda: datetime.now(UTC))
        drain_s = time.monotonic() - over
        say("drained")
        books.wait_until_closed(lambda: None)  # the last authors take some time to write back
        say("settled")
        idle = idle_percent(system, IDLE_S)
        exit_code = system.stop()
        memory.stop()
        drawn = system.ledger()
        findings = Findings()
        with db.open_readers(engine).begin() as session:
            history.check_all(session, world, responders.queued, nemesis.poison, findings)
        findings.counts["ledger difference"] += drawn["difference"] + drawn["exit_code"]
        problems = nemesis.failures + responders.failures
        if exit_code:
            problems.append(f"`earshot up` ended with {exit_code}")
    shown = _report(run, findings, nemesis, expected)
    return shown | {
        "answers_lost": {str(fate): n for fate, n in sorted(world.fates().items())},
        "outage_s": round(nemesis.outage_s, 1),
        "drain_s": round(drain_s, 1),
        "memory_mb": {role: round(mb) for role, mb in sorted(memory.largest.items())},
        "idle_percent": idle,
        "seconds": round(time.monotonic() - began, 1),
        "skipped": {str(kind): why for kind, why in backend.skipped.items()},
        "problems": problems,
    }


def install(backend: Backend, world: World, folder: Path) -> System:
    """The system, its platform's store and its output kept off the disk that will be full."""
    world.home.mkdir(parents=True, exist_ok=True)
    backend.home.mkdir(parents=True)
    (backend.home / "sources").symlink_to(world.home)
    (backend.home / "up.log").symlink_to(folder / "up.log")
    (backend.home / "clock.log").symlink_to(folder / "clock.log")
    settings = folder / "earshot.toml"
    settings.write_text(world.settings())
    env = {**backend.env, "EARSHOT_CONFIG": str(settings)}
    return System(backend.home, env=env, arguments=("--no-desk",))


def _report(run: Run, findings: Findings, nemesis: Nemesis, expected: int) -> dict[str, Any]:
    zero = {name.replace(" ", "_"): findings.counts[name] for name in MUST_BE_ZERO}
    return {
        "backend": run.backend,
        "seed": run.seed,
        "mentions": findings.mentions,
        "follow_ups": findings.mentions - expected,
        "overheard": findings.overheard,
        "replies": findings.replies,
        "replies_ended": dict(sorted(findings.ended.items())),
        "faults": nemesis.done.total(),
        "faults_by_kind": {str(kind): n for kind, n in sorted(nemesis.done.items())},
        **zero,
        "dead_letters": findings.dead_letters,
        "poison": len(nemesis.poison),
        "examples": findings.examples,
    }


# ---------------------------------------------------------------- waiting


def stored(engine: Engine) -> int:
    return _count(engine, select(func.count()).select_from(MentionRow))


def _count(engine: Engine, query: Select[int]) -> int:
    try:
        with db.open_readers(engine).begin() as session:
            return session.scalar(query) or 0
    except DBAPIError:  # the schema is still being made, or the database comes back
        return 0


def _wait_until_answered(
    engine: Engine, responders: Responders, wanted: int, system: System
) -> None:
    """Until the responders have queued what they should, or will not any more."""

    def told() -> str:
        return f"{len(responders.queued)} of {wanted} replies queued; {system.tail()}"

    wait_until(
        lambda: len(responders.queued) >= wanted or responders.failures, SETTLE_S, told, every_s=0.5
    )


@dataclass(frozen=True)
class Books:
    """What is still open while the system works off what is left."""

    engine: Engine
    backend: Backend
    world: World
    nemesis: Nemesis
    system: System

    def wait_until_closed(self, until: Callable[[], datetime | None]) -> None:
        """Until all is stored, all replies have ended, all poison is buried, nothing moves.

        `until` bounds what authors write back to our replies.
        """
        left: dict[str, int] = {}

        def closed() -> bool:
            left.clear()
            left.update(self._left(until()))
            return not any(left.values())

        told = lambda: f"settled: {left} left; {self.system.tail()}"  # noqa: E731 -- one line
        wait_until(closed, SETTLE_S, told, every_s=1.0)

    def _left(self, until: datetime | None) -> dict[str, int]:
        """How many of each are missing; the dear questions only when the cheap ones say none."""
        pending = select(func.count(ReplyRow.id)).where(ReplyRow.state.in_(sorted(PENDING)))
        truth = self.world.truth(until)
        buried = _count(self.engine, select(func.count(DeadLetterRow.id)))
        left = {
            "mentions": max(0, len(truth.revisions) - stored(self.engine)),
            "replies": _count(self.engine, pending),
            "poison": max(0, len(self.nemesis.poison) - buried),
        }
        if any(left.values()):
            return left
        log = open_log(self.backend)
        try:
            with db.open_readers(self.engine).begin() as session:
                heard = set(session.scalars(select(MentionRow.id)))
                drawn = ledger.draw_up(session, lambda: ledger.in_flight(log))
        except (LogError, DBAPIError):
            return {"unreadable": 1}
        finally:
            log.close()
        return {
            "unheard": len(truth.revisions.keys() - heard),
            "in flight": drawn.in_flight,
            "without receipt": drawn.without_receipt,
            "missing": sum(row.missing for row in drawn.rows),
        }


def faultless(found: dict[str, Any]) -> bool:
    """Whether everything that must be 0 is 0, and the run itself went as planned."""
    zero = (found[name.replace(" ", "_")] for name in MUST_BE_ZERO)
    return not any(zero) and not found["problems"]


@click.command()
@click.option("--backend", type=click.Choice(BACKENDS), default="sqlite", show_default=True)
@click.option("--mentions", default=100_000, show_default=True)
@click.option("--replies", default=5_000, show_default=True)
@click.option("--faults", default=350, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--span", default=560.0, show_default=True, help="Seconds over which to spread it.")
@click.option("--longest", default=15.0, show_default=True, help="Seconds of one fault at most.")
@click.option("--responders", default=24, show_default=True, help="People who answer.")
@click.option("--keep", is_flag=True, help="Leave the run's folder, and say where it is.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON, for machines.")
def main(
    backend: str,
    mentions: int,
    replies: int,
    faults: int,
    seed: int,
    span: float,
    longest: float,
    responders: int,
    keep: bool,  # noqa: FBT001 -- click passes options by name
    as_json: bool,  # noqa: FBT001 -- click passes options by name
) -> None:
    """Run the whole system under faults, and check what became of everything."""
    run = Run(
        backend=backend,
        mentions=mentions,
        replies=replies,
        faults=faults,
        seed=seed,
        span_s=span,
        longest_s=longest,
        responders=responders,
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    folder = Path(tempfile.mkdtemp(prefix="earshot-faults-"))
    try:
        found = carry_out(run, folder, lambda line: click.echo(line, err=True))
    finally:
        if keep:
            click.echo(f"everything is in {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    click.echo(json.dumps(found, indent=None if as_json else 2))
    sys.exit(not faultless(found))


if __name__ == "__main__":
    main()
