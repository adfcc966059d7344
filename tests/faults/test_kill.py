"""`kill -9` of every role while 20,000 posts stream in and replies go out."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from collectors.matching import compile_queries
from collectors.simulator import Simulator, SimulatorConfig
from earshot import brand as brands
from earshot import db, lifecycle
from earshot.domain import ItemState, Op, ReplyState
from earshot.lifecycle import OPEN, Change
from earshot.tables import BacklogRow, EventRow, ItemRow, MentionRow, ReplyRow, VolumeRow
from tests.system import ROOT, System, wait_until

POSTS = 20_000
RATE = 1_500.0
REPLIES = 60
ROLES = ("collect", "classify", "route", "sweep", "send")

CONFIG = f"""
[sources.world]
brand = "acme"
kind = "simulator"
rate = {RATE}
count = {POSTS}
backlog = 0
parts = 4
catch_up_s = 3600.0
duplicate = 0.05
edit = 0.05
delete = 0.03
late = 0.05
follow_up = 0.0
lose_answer = 0.1
lose_request = 0.1

[send]
lease_s = 30.0
confirm_after_s = 1.0

[web]
undo_send_s = 0
"""


@dataclass(frozen=True)
class Truth:
    """What the world said that names the brand: newest revision by mention, and deletions."""

    revisions: dict[str, int]
    deleted: frozenset[str]


def told_by_the_world(config: str, folder: Path) -> Truth:
    """Ask the world itself, with nothing of the system in between but the matcher."""
    import tomllib

    options = tomllib.loads(config)["sources"]["world"]
    options = {k: v for k, v in options.items() if k not in ("brand", "kind")} | {"rate": 0.0}
    world = Simulator(msgspec.convert(options, SimulatorConfig), folder / "truth")
    matcher = compile_queries(brands.load(ROOT / "config/brands")["acme"].queries)
    revisions: dict[str, int] = {}
    deleted: set[str] = set()
    for part in world.parts():
        cursor, more = None, True
        while more:
            batch = world.poll(part, cursor)
            cursor, more = batch.cursor, batch.more
            for post in batch.posts:
                name = f"simulator:{post.native_id}"
                known = name in revisions
                if post.op is Op.DELETE:
                    if known:
                        deleted.add(name)
                        revisions[name] = post.revision
                elif matcher.match(post) or (post.op is Op.EDIT and known):
                    revisions[name] = max(revisions.get(name, 0), post.revision)
    world.close()
    return Truth(revisions, frozenset(deleted))


@pytest.fixture(params=["sqlite", pytest.param("kafka+postgresql", marks=pytest.mark.services)])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    env = {}
    if request.param != "sqlite":
        env = {
            "EARSHOT_LOG__URL": f"kafka://{request.getfixturevalue('kafka_bootstrap')}",
            "EARSHOT_DATABASE__URL": request.getfixturevalue("new_postgres_database"),
        }
    made = System(tmp_path / "home", env=env, arguments=("--no-desk",), config=CONFIG)
    made.start()
    yield made
    made.kill()


def engine_of(system: System) -> Engine:
    return db.connect(
        system.env.get("EARSHOT_DATABASE__URL") or f"sqlite:///{system.home}/earshot.db"
    )


def stored(engine: Engine) -> int:
    try:
        with db.open_readers(engine).begin() as session:
            return session.scalar(select(func.count()).select_from(MentionRow)) or 0
    except DBAPIError:  # the schema is still being made
        return 0


def answer_some(engine: Engine, wanted: int) -> list[str]:
    """Put replies into the outbox as the desk does, one transaction each; their keys."""
    with db.open_readers(engine).begin() as session:
        rows = session.execute(
            select(ItemRow, MentionRow)
            .join(
                MentionRow,
                (MentionRow.id == ItemRow.mention_id) & (MentionRow.brand == ItemRow.brand),
            )
            .where(ItemRow.state == ItemState.QUEUED, MentionRow.deleted.is_(False))
            .where(MentionRow.can_reply)
            .limit(wanted)
        ).all()
    keys = []
    for item, mention in rows:
        try:
            with db.open_sessions(engine).begin() as session:
                key = answer(session, item, mention)
        except (lifecycle.Stale, lifecycle.Forbidden, OperationalError):
            continue  # the router was faster, or in the way
        keys.append(key)
    return keys


def answer(session: Session, item: ItemRow, mention: MentionRow) -> str:
    now = datetime.now(UTC)
    for to in (ItemState.ASSIGNED, ItemState.SENDING):
        change = Change(item_id=item.id, brand=item.brand, actor="person:1", at=now, to=to)
        lifecycle.move(session, change)
    key = f"{item.id:032x}"
    session.add(
        ReplyRow(
            brand=item.brand,
            item_id=item.id,
            mention_id=mention.id,
            mention_revision=mention.revision,
            source=mention.source,
            platform=mention.platform,
            parent=mention.native_id,
            thread=mention.thread,
            address=mention.address,
            person_id=1,
            text=f"We are looking into it, thank you for telling us. Number {item.id}.",
            state=ReplyState.QUEUED,
            key=key,
            created_at=now,
            queued_at=now,
            not_before=now,
            changed_at=now,
        )
    )
    session.flush()
    return key


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_9_of_any_role_at_any_moment_loses_nothing_and_doubles_nothing(
    system: System, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    truth = told_by_the_world(CONFIG, tmp_path)
    engine = engine_of(system)
    request.addfinalizer(engine.dispose)
    dice = random.Random(20_261_122)
    wait_until(lambda: stored(engine) > 200, 60, f"storing; {system.log()[-2_000:]}")

    killed: Counter[str] = Counter()
    keys: list[str] = []
    begun = time.monotonic()
    while time.monotonic() - begun < 120:
        role = min(ROLES, key=lambda name: (killed[name], dice.random()))
        killed[role] += system.kill_role(role)
        time.sleep(dice.uniform(0.2, 1.2))
        if len(keys) < REPLIES:
            keys += answer_some(engine, 15)
        if min(killed[name] for name in ROLES) >= 2 and stored(engine) > POSTS // 2:
            break
    assert all(killed[name] >= 1 for name in ROLES), killed

    def settled() -> bool:
        if stored(engine) < len(truth.revisions):
            return False
        drawn = system.ledger()
        left = [drawn[name] for name in ("in_flight", "without_receipt", "difference")]
        return not any([*left, *(row["missing"] for row in drawn["rows"])])

    wait_until(settled, 240, f"settled: {system.ledger()} {system.log()[-3_000:]}", every_s=1)
    wait_until(lambda: replies_settled(engine), 180, "through with all replies", every_s=0.5)
    assert system.stop() == 0
    assert system.ledger()["exit_code"] == 0

    with db.open_readers(engine).begin() as session:
        mentions = {
            row.id: (row.revision, row.deleted)
            for row in session.execute(
                select(MentionRow.id, MentionRow.revision, MentionRow.deleted)
            )
        }
        assert mentions.keys() == truth.revisions.keys()
        assert {name for name, (_, deleted) in mentions.items() if deleted} == truth.deleted
        wrong = {
            name: (revision, truth.revisions[name])
            for name, (revision, deleted) in mentions.items()
            if not deleted and revision != truth.revisions[name]
        }
        assert not wrong
        assert session.scalar(select(func.sum(ItemRow.mentions))) == len(mentions)
        arrivals = EventRow.kind.in_(["mention.new", "item.reopened"])
        told = session.scalar(select(func.count()).select_from(EventRow).where(arrivals))
        assert told == len(mentions)
        assert session.scalar(select(func.sum(VolumeRow.n))) == len(mentions)
        states = session.execute(
            select(ItemRow.state, func.count().label("n")).group_by(ItemRow.state)
        )
        recount = {row.state: row.n for row in states if ItemState(row.state) in OPEN}
        counts = session.execute(
            select(BacklogRow.state, func.sum(BacklogRow.n).label("n")).group_by(BacklogRow.state)
        )
        assert {row.state: int(row.n) for row in counts if row.n} == recount
        replies = session.execute(select(ReplyRow.key, ReplyRow.state))
        outcomes = {row.key: row.state for row in replies}
    posted = posted_by_key(system)
    assert set(keys) == set(outcomes)
    assert set(outcomes.values()) <= {ReplyState.CONFIRMED, ReplyState.FAILED}
    for key, state in outcomes.items():
        assert posted[key] == (1 if state == ReplyState.CONFIRMED else 0), (key, state)
    assert sum(state == ReplyState.CONFIRMED for state in outcomes.values()) > len(keys) // 2


def replies_settled(engine: Engine) -> bool:
    with db.open_readers(engine).begin() as session:
        open_ = session.scalar(
            select(func.count())
            .select_from(ReplyRow)
            .where(ReplyRow.state.not_in([ReplyState.CONFIRMED, ReplyState.FAILED]))
        )
    return not open_


def posted_by_key(system: System) -> Counter[str]:
    """The platform's own record of what it holds."""
    store = next((system.home / "sources").glob("world*"))
    path = store if store.is_file() else next(store.glob("*.sqlite*"))
    with closing(sqlite3.connect(path)) as connection:
        return Counter(key for (key,) in connection.execute("select key from reply"))
