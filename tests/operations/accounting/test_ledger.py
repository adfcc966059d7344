"""The ledger: what was collected stands somewhere, and what does not is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, delete

from earshot.database import db, schema
from earshot.database.tables import DeadLetterRow, ItemRow, MentionRow, ReceiptRow
from earshot.domain import TOMBSTONE, ItemState
from earshot.items.lifecycle import OPEN
from earshot.log.memory import MemoryLog
from earshot.log.topics import MENTIONS, TOPICS
from earshot.runtime import connect
from earshot.settings import Settings
from operations.accounting import ledger
from operations.accounting.ledger import STANDINGS, Ledger, draw_up, in_flight
from operations.cli import main
from tests.builders import NOON, a_mention
from tests.rows import a_mention_row, add_item, an_item, database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database(database_url)
    yield made
    made.dispose()


def a_receipt(native_id: str, **changes: Any) -> ReceiptRow:
    columns = {
        "brand": "acme",
        "mention_id": f"simulator:{native_id}",
        "revision": 0,
        "source": "sim",
        "thread": native_id,
        "day": "2026-03-02",
    }
    return ReceiptRow(**columns | changes)


def a_dead_letter(native_id: str, **changes: Any) -> DeadLetterRow:
    columns = {
        "topic": "mentions",
        "partition": 0,
        "offset": int(native_id),
        "brand": "acme",
        "source": "sim",
        "mention_id": f"simulator:{native_id}",
        "revision": 0,
        "reason": "not JSON",
        "key": b"",
        "value": b"{",
        "headers": {},
        "state": "waiting",
        "buried_at": NOON,
    }
    return DeadLetterRow(**columns | changes)


def stored(native_id: str, state: ItemState, **changes: Any) -> list[Any]:
    """A collected mention that became an item."""
    item = an_item(f"simulator:{native_id}", state=state)
    return [item, a_mention_row(native_id, **changes), a_receipt(native_id)]


def store(engine: Engine, *rows: Any) -> None:
    with db.open_sessions(engine).begin() as session:
        for row in rows:
            add_item(session, row) if isinstance(row, ItemRow) else session.add(row)


def drawn(engine: Engine, waiting: int = 0, since: str = "") -> Ledger:
    with db.open_readers(engine).begin() as session:
        return draw_up(session, lambda: waiting, since)


@pytest.mark.parametrize("state", ItemState)
def test_a_mention_stands_where_its_item_stands(state: ItemState) -> None:
    engine = database()
    store(engine, *stored("1", state))
    (row,) = drawn(engine).rows
    standing = "open" if state in OPEN else state.value
    assert {name: getattr(row, name) for name in STANDINGS if getattr(row, name)} == {standing: 1}
    assert (row.collected, drawn(engine).difference) == (1, 0)
    engine.dispose()


def test_changes_dead_letters_and_losses_are_told_apart(engine: Engine) -> None:
    store(
        engine,
        *stored("1", ItemState.NEW, revision=TOMBSTONE, deleted=True),
        a_receipt("1", revision=3),
        a_receipt("1", revision=TOMBSTONE),
        a_receipt("2"),
        a_dead_letter("2"),
        a_receipt("3"),
        a_dead_letter("3", state="dropped"),
        a_receipt("4"),
        a_dead_letter("4", state="retried"),
        a_receipt("5"),
        *stored("6", ItemState.NEW),
        a_receipt("6", revision=1),
    )
    found = drawn(engine, waiting=2)
    (row,) = found.rows
    assert (row.collected, row.open, row.changes, row.dead, row.missing) == (9, 2, 2, 2, 3)
    assert (found.in_flight, found.difference) == (2, 1)
    assert drawn(engine, waiting=9).difference == 0


def test_brands_sources_and_days_have_lines_of_their_own(engine: Engine) -> None:
    store(
        engine,
        *stored("1", ItemState.NEW),
        a_receipt("1", source="search"),
        a_receipt("1", brand="zen"),
        a_receipt("9", day="2026-03-03"),
    )
    found = [(r.brand, r.source, r.day, r.open, r.missing) for r in drawn(engine).rows]
    assert found == [
        ("acme", "search", "2026-03-02", 1, 0),
        ("acme", "sim", "2026-03-02", 1, 0),
        ("acme", "sim", "2026-03-03", 0, 1),
        ("zen", "sim", "2026-03-02", 0, 1),
    ]
    assert [r.day for r in drawn(engine, since="2026-03-03").rows] == ["2026-03-03"]


def test_what_was_stored_before_its_receipt_is_counted_apart(engine: Engine) -> None:
    item, mention, _ = stored("1", ItemState.NEW)
    store(engine, item, mention)
    found = drawn(engine)
    assert (found.rows, found.without_receipt, found.difference) == ((), 1, 0)


def test_what_waits_in_the_log_is_in_flight() -> None:
    log = MemoryLog()
    log.create(dict.fromkeys([n for t in TOPICS for n in (t.name, t.dead)], 1))
    producer = log.producer()
    producer.send(MENTIONS.name, b"k", MENTIONS.encode(a_mention()))
    producer.send(MENTIONS.dead, b"k", b"{")
    producer.flush()
    assert in_flight(log) == 2
    consumer = log.consumer(MENTIONS.name, "classify")
    consumer.poll(10, 0.1)
    assert in_flight(log) == 2
    consumer.commit()
    assert in_flight(log) == 1
    consumer.close()


def test_the_ledger_is_a_table_with_a_verdict(engine: Engine) -> None:
    store(engine, *stored("1", ItemState.NEW), a_receipt("2"))
    lines = list(ledger.in_words(drawn(engine)))
    assert lines[0].split() == ["brand", "source", "day", "collected", *STANDINGS]
    assert lines[1].split()[:4] == ["acme", "sim", "2026-03-02", "2"]
    assert lines[-1] == "difference 1: THESE ARE LOST"
    assert list(ledger.in_words(drawn(engine, waiting=1)))[-1] == "difference 0: nothing is lost"


# ---------------------------------------------------------------- the command

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A home with a migrated database that holds one mention, and an empty log."""
    monkeypatch.setenv("EARSHOT_HOME", str(tmp_path))
    settings = Settings(home=str(tmp_path))
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    connect.open_log(settings, "test").close()
    store(engine, *stored("1", ItemState.NEW))
    yield engine
    engine.dispose()


def test_the_command_says_that_nothing_is_lost(home: Engine) -> None:
    result = CliRunner().invoke(main, ["ledger"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (
        0,
        "difference 0: nothing is lost",
    )


def test_a_mention_that_is_lost_is_a_difference_and_exit_code_1(home: Engine) -> None:
    with db.open_sessions(home).begin() as session:
        session.execute(delete(MentionRow))
    result = CliRunner().invoke(main, ["ledger", "--json"])
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert (told["difference"], told["rows"][0]["missing"], told["in_flight"]) == (1, 1, 0)


def test_only_the_days_that_were_asked_for_are_told(home: Engine) -> None:
    later = (NOON + timedelta(days=1)).date().isoformat()
    result = CliRunner().invoke(main, ["ledger", "--json", "--since", later])
    assert (result.exit_code, json.loads(result.output)["rows"]) == (0, [])
