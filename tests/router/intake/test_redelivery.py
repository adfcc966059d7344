"""Any part of the stream may come again, in any grouping and to several processes at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select

from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import (
    ClockRow,
    EventRow,
    ItemRow,
    MentionRow,
    ResponseRow,
    RevisionRow,
    Table,
    VolumeRow,
)
from earshot.domain import TOMBSTONE, Classified, ItemFlag, Op
from tests.builders import NOON, a_classified
from tests.router.reading import all_rows, backlog, counted
from tests.router.streams import MINUTE, OUTAGE, QUESTION, REMARK, UNSURE, routed

REVISIONS = {Op.CREATE: 0, Op.EDIT: 5, Op.DELETE: TOMBSTONE}
_records = st.builds(
    lambda number, thread, op, said: a_classified(
        native_id=f"{thread}{number}",
        thread=thread,
        op=op,
        revision=REVISIONS[op],
        text="" if op == Op.DELETE else f"{op} {number}",
        # one is dated back by its author, and an edit of it arrives later than its post did
        published_at=NOON - 5_000_000 * MINUTE if number == 4 else NOON + number * MINUTE,
        received_at=NOON + (number + (op == Op.EDIT)) * MINUTE if number == 4 else None,
        edited_at=NOON + 9 * MINUTE if op == Op.EDIT else None,
        history=number == 1 or (number == 2 and thread == "b"),
        classification=said,
        own=number == 3,  # the same for all revisions of a post
    ),
    st.integers(1, 4),
    st.sampled_from("ab"),
    st.sampled_from(list(Op)),
    st.sampled_from([QUESTION, REMARK, UNSURE, OUTAGE]),
)
streams = st.lists(_records, min_size=1, max_size=12)
TABLES = (
    MentionRow, RevisionRow, ItemRow, EventRow, VolumeRow, ClockRow, ResponseRow,
)  # fmt: skip


@pytest.fixture(scope="module")
def memory() -> Engine:
    engine = db.connect("sqlite://")
    Table.metadata.create_all(engine)
    return engine


def _outcome(engine: Engine, batches: list[list[Classified]]) -> list[list[dict[str, Any]]]:
    sessions = db.open_sessions(engine)
    with sessions.begin() as session:
        for table in reversed(Table.metadata.sorted_tables):
            session.execute(delete(table))
    routed(sessions, *batches)
    with sessions() as session:
        assert backlog(session) == counted(session)
        for item in session.scalars(select(ItemRow)):  # history alone is promised nothing
            past = bool(item.flags & ItemFlag.HISTORY)
            assert (item.due_at is None, item.target == "", item.target_s == 0) == (past,) * 3
            assert not past or item.state not in ("queued", "assigned")
        threads = {row.id: row.thread for row in session.scalars(select(ItemRow))}
        return [
            sorted((_by_thread(row, threads) for row in all_rows(session, table)), key=repr)
            for table in TABLES
        ]


def _by_thread(row: dict[str, Any], threads: dict[int, str]) -> dict[str, Any]:
    """A row that names its item by the thread: numbers are drawn anew each time."""
    names: dict[Any, str] = threads | {str(number): name for number, name in threads.items()}
    return row | {
        column: names.get(row[column], row[column])
        for column in ("id", "item_id", "subject")
        if column in row
    }


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(streams, st.data())
def test_any_grouping_and_any_redelivery_come_to_the_same(
    memory: Engine, stream: list[Classified], data: st.DataObject
) -> None:
    once = _outcome(memory, [stream])
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=4)))
    batches = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        again = data.draw(st.integers(0, begin))  # a crash before commit repeats from here
        batches.append(stream[again:end])
    batches.append(stream[data.draw(st.integers(0, len(stream))) :])
    assert _outcome(memory, batches) == once


def test_two_processes_that_store_the_same_threads_at_once_store_them_once(
    sessions: Sessions,
) -> None:
    batch = [
        a_classified(native_id=str(n), thread=str(n // 2), classification=QUESTION)
        for n in range(60)
    ]
    failures: list[BaseException] = []

    def run(part: list[Classified]) -> None:
        try:
            for at in range(0, len(part), 7):
                routed(sessions, part[at : at + 7])
        except BaseException as error:  # noqa: BLE001 -- shown by the assertion below
            failures.append(error)

    parts = (batch, batch[::-1], batch)
    threads = [threading.Thread(target=run, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(MentionRow)) == 60
        assert session.scalar(select(func.count()).select_from(ItemRow)) == 30
        assert session.scalar(select(func.sum(ItemRow.mentions))) == 60
        assert session.scalar(select(func.count()).select_from(EventRow)) == 60
        assert session.scalar(select(func.sum(VolumeRow.n))) == 60
        assert backlog(session) == counted(session)
