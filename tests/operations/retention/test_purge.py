"""What is purged is gone from every file, the numbers stay, and the ledger still adds up."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from earshot.database import db, schema
from earshot.database.tables import (
    AssignmentRow,
    ClockRow,
    DeadLetterRow,
    DraftRow,
    EventRow,
    ItemRow,
    MentionRow,
    PersonRow,
    ReceiptRow,
    ReplyRow,
    ResponseRow,
    RevisionRow,
    SourceHealthRow,
    Table,
    VolumeRow,
)
from earshot.domain import ItemState, ReplyState
from earshot.items.events import EventKind
from earshot.items.lifecycle import OPEN, record
from earshot.items.rollups import ClosedClock, close_clock, count_volume
from earshot.runtime import connect
from earshot.settings import Retention, Settings
from operations.accounting import ledger
from operations.cli import main
from operations.retention import purge
from operations.retention.purge import Reach
from operations.retention.purger import EVERY_S, Purger, shortest_s
from tests.builders import NOON, ManualClock
from tests.operations.test_cli import bare
from tests.rows import a_mention_row, a_person, a_reply, add_item, an_item, item_id

LATER = NOON + timedelta(days=40)
MONTH = Reach(brand="acme", before=LATER - timedelta(days=30))
CANARY = "canary-7f3a1c"


def put(sessions: db.Sessions, name: str, *, brand: str = "acme", **item: Any) -> int:
    """A whole item with its mention, and all that hangs on it, with the canary in every text."""
    key = item_id(brand, f"simulator:{name}")
    with sessions.begin() as session:
        if session.get(PersonRow, 1) is None:
            session.add(a_person())
            session.flush()
        columns = {"state": ItemState.ANSWERED, "preview": CANARY, "author_name": CANARY} | item
        add_item(session, an_item(f"simulator:{name}", brand, **columns))
        session.add(
            a_mention_row(name, brand, text=CANARY, author_name=CANARY, url=CANARY, revision=1)
        )
        session.add(
            RevisionRow(
                brand=brand,
                mention_id=f"simulator:{name}",
                revision=1,
                op="edit",
                text=CANARY,
                collected_at=NOON,
                stored_at=NOON,
            )
        )
        for revision in (0, 1):
            session.add(
                ReceiptRow(
                    brand=brand,
                    mention_id=f"simulator:{name}",
                    revision=revision,
                    source="sim",
                    thread=name,
                    day=NOON.date().isoformat(),
                )
            )
        session.flush()
        session.add(
            a_reply(
                None,
                native_id=name,
                brand=brand,
                text=CANARY,
                key=f"{brand}{name}",
                state=ReplyState.CONFIRMED,
            )
        )
        session.add(DraftRow(item_id=key, person_id=1, brand=brand, text=CANARY, saved_at=NOON))
        session.add(
            AssignmentRow(
                brand=brand,
                item_id=key,
                person_id=1,
                state="ended",
                made_at=NOON,
                policy_version="1",
                explain={},
            )
        )
        close_clock(
            session,
            ClosedClock(
                brand=brand,
                item_id=key,
                metric="first",
                team="",
                topic="",
                due_at=None,
                platform="simulator",
                started_at=NOON,
                stopped_at=NOON,
            ),
        )
        count_volume(session, {(brand, 1, "sim", "", "negative"): 1})
    return key


def rows(sessions: db.Sessions, table: type[Table]) -> int:
    with sessions.begin() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def run(sessions: db.Sessions, reach: Reach = MONTH) -> int:
    with sessions.begin() as session:
        return purge.purge_items(session, reach, "role:test", LATER)


def difference(sessions: db.Sessions) -> tuple[int, dict[str, int]]:
    with sessions.begin() as session:
        drawn = ledger.draw_up(session, lambda: 0)
    assert all(
        row.collected == sum(getattr(row, name) for name in ledger.STANDINGS) for row in drawn.rows
    )
    totals = {
        name: sum(getattr(row, name) for row in drawn.rows)
        for name in ("collected", "purged", "missing")
    }
    return drawn.difference, totals


def test_an_item_goes_with_all_that_hangs_on_it_and_the_numbers_stay(sessions: db.Sessions) -> None:
    put(sessions, "1")
    assert run(sessions) == 1
    for table in (
        ItemRow,
        MentionRow,
        RevisionRow,
        ReceiptRow,
        ReplyRow,
        DraftRow,
        AssignmentRow,
        ClockRow,
    ):
        assert rows(sessions, table) == 0, table
    assert rows(sessions, ResponseRow) == rows(sessions, VolumeRow) == 1
    assert difference(sessions) == (0, {"collected": 2, "purged": 2, "missing": 0})
    with sessions.begin() as session:
        event = session.scalars(select(EventRow).where(EventRow.kind == "purge.items")).one()
        assert event.after is not None
        assert {
            name: event.after[name] for name in ("items", "mentions", "replies", "receipts")
        } == {
            "items": 1,
            "mentions": 1,
            "replies": 1,
            "receipts": 2,
        }
    assert run(sessions) == 0


@pytest.mark.parametrize("state", sorted(OPEN))
def test_what_somebody_waits_for_is_kept(sessions: db.Sessions, state: ItemState) -> None:
    put(sessions, "1", state=state)
    assert run(sessions) == 0
    assert difference(sessions) == (0, {"collected": 2, "purged": 0, "missing": 0})


@pytest.mark.parametrize(
    "item",
    [{"changed_at": LATER}, {"source": "other"}, {"brand": "zen"}],
    ids=["changed since", "of another source", "of another brand"],
)
def test_what_is_not_meant_is_kept(sessions: db.Sessions, item: dict[str, Any]) -> None:
    put(sessions, "1", **item)
    reach = Reach(brand="acme", source="sim", before=MONTH.before)
    with sessions.begin() as session:
        assert purge.count(session, reach) == 0
    assert run(sessions, reach) == 0


def test_a_thread_in_which_somebody_wrote_since_is_kept(sessions: db.Sessions) -> None:
    key = put(sessions, "1")
    with sessions.begin() as session:
        session.add(a_mention_row("2", thread="1", item_id=key, collected_at=LATER))
    assert run(sessions) == 0


def test_an_item_whose_reply_is_on_its_way_is_kept(sessions: db.Sessions) -> None:
    put(sessions, "1")
    with sessions.begin() as session:
        session.query(ReplyRow).update({"state": ReplyState.UNKNOWN})
    assert run(sessions) == 0


def test_it_goes_in_batches_and_the_purger_takes_one_a_tick(
    sessions: db.Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "BATCH", 2)
    for number in range(5):
        put(sessions, str(number))
    with sessions.begin() as session:
        session.add(SourceHealthRow(brand="acme", source="sim", platform="simulator", state="ok"))
    clock = ManualClock(LATER)
    purger = Purger(Retention(days=30), sessions, monotonic=clock.monotonic)
    left = []
    for _ in range(5):
        purger.tick(LATER)
        left.append(rows(sessions, ItemRow))
    assert left[-1] == 0
    assert max(a - b for a, b in zip([5, *left], left, strict=False)) == 2
    put(sessions, "again")
    purger.tick(LATER)
    purger.tick(clock.advance(EVERY_S / 2))
    assert rows(sessions, ItemRow) == 1
    purger.tick(clock.jump(hours=5))  # the rest is of an hour, whatever the clock shows
    assert rows(sessions, ItemRow) == 1
    clock.jump(hours=-5)
    clock.advance(EVERY_S / 2)
    for _ in range(4):
        purger.tick(clock())
    assert rows(sessions, ItemRow) == 0


def test_without_a_retention_nothing_ever_goes(sessions: db.Sessions) -> None:
    put(sessions, "1")
    purger = Purger(Retention(), sessions)
    purger.tick(LATER + timedelta(days=36_500))
    assert rows(sessions, ItemRow) == 1
    assert purger.left == []


def letter(sessions: db.Sessions, name: str, state: str = "dropped", **changes: Any) -> None:
    columns = {
        "topic": "mentions",
        "partition": 0,
        "offset": int(name),
        "brand": "acme",
        "source": "sim",
        "mention_id": f"simulator:{name}",
        "revision": 0,
        "reason": "x",
        "key": b"k",
        "value": CANARY.encode(),
        "headers": {},
        "state": state,
        "buried_at": NOON,
    }
    with sessions.begin() as session:
        session.execute(insert(DeadLetterRow), [columns | changes])
        session.execute(
            insert(ReceiptRow),
            [
                {
                    "brand": "acme",
                    "mention_id": f"simulator:{name}",
                    "revision": 0,
                    "source": "sim",
                    "thread": "",
                    "day": NOON.date().isoformat(),
                }
            ],
        )


def test_old_dead_letters_go_and_are_counted(sessions: db.Sessions) -> None:
    letter(sessions, "1")
    letter(sessions, "2", "waiting")
    letter(sessions, "3", "retry_wanted")
    letter(sessions, "4", buried_at=LATER)
    with sessions.begin() as session:
        assert purge.purge_letters(session, MONTH, "role:test", LATER) == 2
    assert rows(sessions, DeadLetterRow) == 2
    assert difference(sessions) == (0, {"collected": 4, "purged": 2, "missing": 0})


def test_an_authors_words_go_and_the_work_stays(sessions: db.Sessions) -> None:
    put(sessions, "1", state=ItemState.QUEUED)
    with sessions.begin() as session:
        assert purge.erase_author(session, "acme", "simulator", "u1", "role:test", LATER) == 1
        assert purge.erase_author(session, "acme", "simulator", "u1", "role:test", LATER) == 0
    with sessions.begin() as session:
        mention, item = session.query(MentionRow).one(), session.query(ItemRow).one()
        revision = session.query(RevisionRow).one()
        assert CANARY not in repr([vars(mention), vars(item), vars(revision)])
        assert mention.deleted
        assert (item.state, item.author_id, item.author_handle) == (ItemState.QUEUED, "", "")
    assert rows(sessions, DraftRow) == 0
    assert difference(sessions)[0] == 0


# ------------------------------------------------------------------ what is due

days = st.integers(0, 400)


@given(
    days,
    st.dictionaries(st.sampled_from(["acme", "zen"]), days),
    st.dictionaries(st.sampled_from(["a", "b"]), days),
)
def test_a_sources_own_retention_goes_before_its_brands_and_the_general_one(
    general: int, brands: dict[str, int], sources: dict[str, int]
) -> None:
    retention = Retention(days=general, brands=brands, sources=sources)
    pairs = [(brand, source) for brand in ("acme", "zen") for source in ("a", "b")]
    found = {(r.brand, r.source): LATER - r.before for r in purge.due(retention, pairs, LATER)}
    for brand, source in pairs:
        wanted = sources.get(source, brands.get(brand, general))
        assert found.get((brand, source), timedelta(0)) == timedelta(days=wanted)
        if wanted:
            assert shortest_s(retention) <= wanted * 86_400


# ------------------------------------------------------------------ the proof


def files_with(home: Path, text: str) -> list[str]:
    return sorted(
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with the canary in its database and its log, everything read."""
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path / "home")))
    settings = Settings(home=str(tmp_path / "home"))
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    sessions = db.open_sessions(engine)
    for number in range(300):
        put(sessions, str(number), changed_at=NOON)
    with sessions.begin() as session:
        session.add(SourceHealthRow(brand="acme", source="sim", platform="simulator", state="ok"))
    letter(sessions, "9000")
    engine.dispose()
    log = connect.open_log(settings, "test")
    producer = log.producer()
    for topic, group in ledger.PATH:
        producer.send(topic, b"k", CANARY.encode() * 1_000)
        producer.flush()
        consumer = log.consumer(topic, group)
        assert consumer.poll(10, 10.0)
        consumer.commit()
        consumer.close()
    producer.close()
    log.close()
    return settings.home_path


def test_nothing_of_the_text_is_left_in_any_file(home: Path) -> None:
    assert {"earshot.db", "log/mentions.log", "log/mentions.dead.log"} <= set(
        files_with(home, CANARY)
    )
    tomorrow = (datetime.now(NOON.tzinfo) + timedelta(days=1)).strftime("%Y-%m-%d")
    dry = CliRunner().invoke(main, ["purge", "--before", tomorrow, "--dry-run"])
    assert dry.output.startswith("acme sim: 300 items")
    assert "earshot.db" in files_with(home, CANARY)
    result = CliRunner().invoke(main, ["purge", "--before", tomorrow])
    assert result.output == "acme sim: 300 items, 1 dead letters taken out\n"
    assert files_with(home, CANARY) == []
    drawn = CliRunner().invoke(main, ["ledger"])
    assert drawn.exit_code == 0
    assert "difference 0" in drawn.output


def test_an_authors_words_are_left_in_no_file_but_in_our_answers(home: Path) -> None:
    result = CliRunner().invoke(main, ["purge", "--author", "simulator:u1"])
    assert result.output == "300 posts were erased\n"
    sessions = db.open_sessions(connect.open_database(Settings(home=str(home))))
    with sessions.begin() as session:  # what we wrote, and a dead letter, hold the canary here
        session.query(ReplyRow).update({"text": ""})
        session.query(DeadLetterRow).update({"value": b""})
    sessions.kw["bind"].dispose()
    assert files_with(home, CANARY) == []


@pytest.fixture
def retained(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installation keeps a month; its last event is months behind the clock."""
    names = {"EARSHOT_HOME": str(home), "EARSHOT_RETENTION__DAYS": "30"}
    monkeypatch.setattr(os, "environ", bare(**names))
    return home


def test_by_a_clock_that_is_not_believed_nothing_goes_until_it_is_confirmed(retained: Path) -> None:
    sessions = db.open_sessions(connect.open_database(Settings(home=str(retained))))
    with sessions.begin() as session:
        record(session, "acme", NOON, "role:route", EventKind.MENTION_NEW, [{}])
    refused = CliRunner().invoke(main, ["purge"])
    assert refused.exit_code == 1
    assert "after the last that happened here (2026-03-02 12:00 UTC)" in refused.output
    assert "nothing was taken out. If the clock is right, add --confirm" in refused.output
    assert rows(sessions, ItemRow) == 300
    dry = CliRunner().invoke(main, ["purge", "--dry-run", "--before", "2026-03-03"])
    assert (dry.exit_code, rows(sessions, ItemRow)) == (0, 300)
    confirmed = CliRunner().invoke(main, ["purge", "--confirm"])
    assert confirmed.output == "acme sim: 300 items, 1 dead letters taken out\n"
    assert CliRunner().invoke(main, ["purge"]).exit_code == 0
    sessions.kw["bind"].dispose()


def test_a_day_that_a_person_names_needs_no_clock(retained: Path) -> None:
    sessions = db.open_sessions(connect.open_database(Settings(home=str(retained))))
    with sessions.begin() as session:
        record(session, "acme", NOON, "role:route", EventKind.MENTION_NEW, [{}])
    assert "300 items" in CliRunner().invoke(main, ["purge", "--before", "2026-03-03"]).output
    sessions.kw["bind"].dispose()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dry-run", "--confirm"], "nothing to --confirm"),
        (["--author", "u1"], "PLATFORM:ID"),
        (["--author", "x:1", "--dry-run"], "can't be combined"),
        (["--source", "fax"], "no such source; there are sim"),
        (["--before", "yesterday"], "does not match the format"),
    ],
)
def test_a_wrong_call_takes_nothing_out(home: Path, words: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["purge", *words])
    assert result.exit_code == 2
    assert said in result.output
    assert "earshot.db" in files_with(home, CANARY)


def test_without_a_retention_the_command_says_so(home: Path) -> None:
    assert "nothing to delete" in CliRunner().invoke(main, ["purge"]).output
