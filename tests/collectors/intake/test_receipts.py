"""Receipts: written once each, however often and in whatever company they come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select

from collectors.intake.receipts import Receipt, known_threads, write_receipts
from earshot.database import db
from earshot.database.tables import ReceiptRow
from tests.builders import NOON
from tests.rows import database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = database(database_url)
    yield engine
    engine.dispose()


HOSTILE = ["simulator:1", "x:'\"\\{}", "x:a,b", "x:NULL", "x:%s $1", "x:\n\t", "x:東京🔥", "x:"]
RECEIPTS = st.lists(
    st.builds(
        Receipt,
        mention_id=st.sampled_from(HOSTILE),
        revision=st.sampled_from([0, 1, 2**53 - 1]),
        thread=st.sampled_from(HOSTILE),
    ),
    max_size=12,
)


def test_receipts_stand_as_they_were_given_and_each_only_once(engine: Engine) -> None:
    sessions = db.open_sessions(engine)

    @given(st.lists(RECEIPTS, max_size=3))
    def law(batches: list[list[Receipt]]) -> None:
        standing: dict[tuple[str, int], set[str]] = {}
        with sessions.begin() as session:
            session.execute(delete(ReceiptRow))
            for batch in batches:
                fresh = {(r.mention_id, r.revision) for r in batch} - standing.keys()
                assert write_receipts(session, "acme", "sim", batch, NOON) == len(fresh)
                for receipt in batch:
                    if (receipt.mention_id, receipt.revision) in fresh:
                        key = (receipt.mention_id, receipt.revision)
                        standing.setdefault(key, set()).add(receipt.thread)
            found = session.scalars(select(ReceiptRow)).all()
            assert {(r.mention_id, r.revision) for r in found} == standing.keys()
            assert len(found) == len(standing)
            for row in found:
                assert row.thread in standing[row.mention_id, row.revision]
                assert (row.brand, row.source, row.day) == ("acme", "sim", NOON.date().isoformat())
            session.expunge_all()

    law()


def test_another_source_has_receipts_of_its_own(engine: Engine) -> None:
    receipt = Receipt(mention_id="x:1", revision=0, thread="t")
    with db.open_sessions(engine).begin() as session:
        assert write_receipts(session, "acme", "one", [receipt], NOON) == 1
        assert write_receipts(session, "acme", "two", [receipt], NOON) == 1
        assert write_receipts(session, "acme", "two", [receipt], NOON) == 0


def test_the_thread_of_what_was_collected_before_is_known(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        write_receipts(session, "acme", "sim", [Receipt("x:1", 0, "t1")], NOON)
        write_receipts(session, "bolt", "sim", [Receipt("x:2", 0, "t2")], NOON)
        many = [f"x:{number}" for number in range(2_000)]
        assert known_threads(session, "acme", many) == {"x:1": "t1"}
