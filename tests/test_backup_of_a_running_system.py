"""A backup is taken in mid-stream, the original is destroyed, and the copy goes on in its place."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import tomllib
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from collectors.matching.matching import compile_queries
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.source import Simulator
from earshot import brand as brands
from earshot.database import db
from earshot.database.tables import EventRow, ItemRow, MentionRow, ReplyRow
from earshot.domain import ItemState, Op, ReplyState
from earshot.items import assignments, lifecycle
from earshot.items.lifecycle import Change
from tests.services import postgres
from tests.system import ROOT, System, wait_until

POSTS = 6_000
CONFIG = f"""
[sources.world]
brand = "acme"
kind = "simulator"
rate = 250.0
count = {POSTS}
backlog = 0
catch_up_s = 36000.0
duplicate = 0.05
edit = 0.05
delete = 0.03
follow_up = 0.0
lose_answer = 0.1
lose_request = 0.1
late_visibility_s = 0.5

[send]
lease_s = 30.0
confirm_after_s = 0.5
"""

PERSON = 1
"""The owner, whose account the start has made."""

ENDED = (ReplyState.CONFIRMED, ReplyState.FAILED)


def native_names(folder: Path) -> set[str]:
    """Every mention that the world tells of, found with nothing of the system but the matcher."""
    options = tomllib.loads(CONFIG)["sources"]["world"]
    options = {k: v for k, v in options.items() if k not in ("brand", "kind")} | {"rate": 0.0}
    world = Simulator(msgspec.convert(options, SimulatorConfig), folder / "truth")
    matcher = compile_queries(brands.load(ROOT / "config/brands")["acme"].queries)
    found: set[str] = set()
    for part in world.parts():
        cursor, more = None, True
        while more:
            batch = world.poll(part, cursor)
            cursor, more = batch.cursor, batch.more
            for post in batch.posts:
                if post.op is not Op.DELETE and matcher.match(post):
                    found.add(f"simulator:{post.native_id}")
    world.close()
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def databases(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """The URLs of the original's database and of its successor's; empty: a file below home."""
    if request.param == "sqlite":
        yield "", ""
        return
    server = request.getfixturevalue("postgres_url")
    with postgres.fresh_database(server) as first, postgres.fresh_database(server) as second:
        yield first, second


def system_at(home: Path, config: Path, database: str) -> System:
    env = {"EARSHOT_CONFIG": str(config)}
    if database:
        env["EARSHOT_DATABASE__URL"] = database
    return System(home, env=env, arguments=("--no-desk",))


def engine_of(system: System) -> Engine:
    return db.connect(
        system.env.get("EARSHOT_DATABASE__URL") or f"sqlite:///{system.home}/earshot.db"
    )


def run(system: System, *words: str) -> str:
    done = subprocess.run(
        system.command(*words), cwd=ROOT, env=system.variables(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def mentions(engine: Engine) -> set[str]:
    with suppress(DBAPIError), db.open_readers(engine).begin() as session:
        return set(session.scalars(select(MentionRow.id)))
    return set()  # the schema is still being made


def replies(engine: Engine) -> dict[str, str]:
    with db.open_readers(engine).begin() as session:
        return {row.key: row.state for row in session.execute(select(ReplyRow.key, ReplyRow.state))}


def answer(engine: Engine, wanted: int, undo_s: float) -> set[str]:
    """Put replies into the outbox as the desk does; half of them are to go out regardless."""
    with db.open_readers(engine).begin() as session:
        found = session.execute(
            select(ItemRow, MentionRow)
            .join(
                MentionRow,
                (MentionRow.id == ItemRow.mention_id) & (MentionRow.brand == ItemRow.brand),
            )
            .where(ItemRow.state == ItemState.QUEUED, MentionRow.deleted.is_(False))
            .where(MentionRow.can_reply)
            .limit(wanted)
        ).all()
    keys: set[str] = set()
    for item, mention in found:
        now, key = datetime.now(UTC), uuid.uuid4().hex
        try:
            with db.open_sessions(engine).begin() as session:
                who = f"person:{PERSON}"
                assignments.give(
                    session, item.brand, item.id, PERSON, who, now, expect=None, why={}
                )
                lifecycle.move(
                    session,
                    Change(
                        item_id=item.id,
                        brand=item.brand,
                        actor=who,
                        at=now,
                        to=ItemState.SENDING,
                    ),
                )
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
                        person_id=PERSON,
                        text=f"Thank you for telling us, we look into it now. Number {item.id}.",
                        state=ReplyState.QUEUED,
                        forced=len(keys) % 2 == 0,
                        key=key,
                        created_at=now,
                        queued_at=now,
                        not_before=now + timedelta(seconds=undo_s),
                        changed_at=now,
                    )
                )
        except (lifecycle.Stale, lifecycle.Forbidden, OperationalError):
            continue  # the router was faster, or in the way
        keys.add(key)
    return keys


def posted(store: Path) -> Counter[str]:
    """How often each reply stands on the platform, by its key."""
    with closing(sqlite3.connect(store)) as connection:
        return Counter(key for (key,) in connection.execute("select key from reply"))


def settled(system: System, engine: Engine, world: set[str]) -> bool:
    if not world <= mentions(engine):
        return False
    drawn = system.ledger()
    left = [drawn[name] for name in ("in_flight", "without_receipt", "difference")]
    return not any([*left, *(row["missing"] for row in drawn["rows"])])


def back_up_and_destroy(first: System, engine: Engine, folder: Path) -> tuple[set[str], set[str]]:
    """Have a backup taken while replies wait, let them go out, and end the original.

    The mentions stored before, and the keys of the replies that are in the backup. Only the
    platform lives on, in `folder`.
    """
    wait_until(lambda: len(mentions(engine)) > 300, 120, f"storing: {first.log()[-2_000:]}")
    before, keys = mentions(engine), set[str]()
    while len(keys) < 30:
        keys |= answer(engine, 30, undo_s=15.0)  # they wait when it is taken, and go out later
    run(first, "backup", str(folder / "backup"))
    platform = first.home / "sources/world"
    wait_until(lambda: len(keys & posted(platform).keys()) > len(keys) // 2, 120, "sending them")
    answer(engine, 10, undo_s=0.0)
    wait_until(lambda: set(replies(engine).values()) & {*ENDED}, 60, "settling one")
    wait_until(lambda: mentions(engine) > before, 60, "going on")
    first.kill()
    engine.dispose()
    with (
        closing(sqlite3.connect(platform)) as there,
        closing(sqlite3.connect(folder / "platform")) as here,
    ):
        there.backup(here)
    shutil.rmtree(first.home)
    return before, keys


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_is_sent_twice(
    databases: tuple[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    config = tmp_path / "earshot.toml"
    config.write_text(CONFIG)
    first = system_at(tmp_path / "first", config, databases[0])
    first.start()
    request.addfinalizer(first.kill)
    before, keys = back_up_and_destroy(first, engine_of(first), tmp_path)
    sent_by_the_first = posted(tmp_path / "platform").keys() & keys
    assert sent_by_the_first

    second = system_at(tmp_path / "second", config, databases[1])
    said = run(second, "restore", str(tmp_path / "backup"))
    assert f"{len(keys)} replies will be checked" in said
    platform = second.home / "sources/world"
    shutil.copy(tmp_path / "platform", platform)
    engine = engine_of(second)
    request.addfinalizer(engine.dispose)
    assert before <= mentions(engine)
    assert set(replies(engine).values()) == {ReplyState.UNKNOWN}

    second.start()
    request.addfinalizer(second.kill)
    world = native_names(tmp_path)
    wait_until(lambda: settled(second, engine, world), 300, f"settled: {second.log()[-3_000:]}", 1)
    wait_until(lambda: set(replies(engine).values()) <= {*ENDED}, 240, "through with the replies")
    assert second.stop() == 0

    outcome = replies(engine)
    assert {key: n for key, n in posted(platform).items() if n > 1} == {}
    assert set(outcome) == keys
    confirmed = {key for key, state in outcome.items() if state == ReplyState.CONFIRMED}
    assert confirmed == keys & posted(platform).keys()
    assert sent_by_the_first <= confirmed
    with db.open_readers(engine).begin() as session:
        arrivals = EventRow.kind.in_(["mention.new", "item.reopened"])
        told = session.scalar(select(func.count()).select_from(EventRow).where(arrivals))
        assert told == session.scalar(select(func.count()).select_from(MentionRow))
