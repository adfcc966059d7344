"""Filling: copies have the shape of what the product stored, and its books still balance."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, inspect, select

from bench.fill import fill
from earshot.database import db
from earshot.database.tables import EventRow, ItemRow, MentionRow, ReceiptRow, VolumeRow
from earshot.domain import ItemState
from operations.accounting import ledger
from tests.builders import NOON
from tests.rows import a_mention_row, add_item, an_item, database

STORED = 7


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    yield engine
    engine.dispose()


def store(engine: Engine) -> None:
    """What seven mentions in seven threads leave behind."""
    with db.open_sessions(engine).begin() as session:
        for number in range(STORED):
            at = NOON + timedelta(minutes=number)
            row = a_mention_row(str(number), published_at=at)
            session.add(row)
            add_item(session, an_item(f"simulator:{number}", state=ItemState.QUEUED.value))
            session.add(
                ReceiptRow(
                    brand="acme",
                    mention_id=row.id,
                    revision=0,
                    source="sim",
                    thread=str(number),
                    day="2026-01-01",
                )
            )
            session.add(
                EventRow(
                    brand="acme",
                    at=at,
                    actor="role:route",
                    kind="mention.new",
                    item_id=row.item_id,
                    subject=row.id,
                )
            )
        # a day from the first to the last: each copy is a day earlier
        for hour, n in ((480_000, STORED - 1), (480_023, 1)):
            session.add(
                VolumeRow(brand="acme", hour=hour, source="sim", topic="", sentiment="neutral", n=n)
            )


def index_names(engine: Engine) -> set[str | None]:
    tables = inspect(engine)
    return {i["name"] for name in tables.get_table_names() for i in tables.get_indexes(name)}


def test_filling_copies_whole_mentions_until_there_are_enough(engine: Engine) -> None:
    store(engine)
    indexes = index_names(engine)
    assert fill(engine, 10 * STORED) == 10 * STORED
    assert fill(engine, 20 * STORED) == 20 * STORED
    with db.open_readers(engine).begin() as session:
        for table in (MentionRow, ItemRow, EventRow, ReceiptRow):
            assert session.scalar(select(func.count()).select_from(table)) == 20 * STORED
        assert session.scalar(select(func.sum(VolumeRow.n))) == 20 * STORED
        unmatched = session.scalars(
            select(MentionRow.id)
            .outerjoin(ItemRow, ItemRow.id == MentionRow.item_id)
            .outerjoin(EventRow, EventRow.subject == MentionRow.id)
            .where(ItemRow.id.is_(None) | EventRow.seq.is_(None))
        ).all()
        assert not unmatched
        books = ledger.draw_up(session, lambda: 0)
    assert books.difference == books.without_receipt == 0
    *copies, original = books.rows
    assert (original.day, original.collected, original.open) == ("2026-01-01", STORED, STORED)
    assert [(row.collected, row.closed) for row in copies] == [(STORED, STORED)] * 19
    assert copies[-1].day == "2025-12-31"
    assert index_names(engine) == indexes


def test_an_empty_database_can_not_be_filled(engine: Engine) -> None:
    with pytest.raises(ValueError, match="let the product store some"):
        fill(engine, 10)
