"""Many whole rows at once: what is written is read back, whatever it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct, defstruct
from sqlalchemy import ARRAY, String, delete, select
from sqlalchemy.exc import DataError, IntegrityError

from earshot.database.db import Sessions
from earshot.database.tables import EventRow, ItemRow
from router.intake.bulk import insert_rows, texts_of

NAMES = [column.name for column in ItemRow.__table__.columns]

words = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00") | st.sampled_from("\\\t\n\r\bN.,\"'"),
    max_size=20,
)
small = st.integers(-(2**31), 2**31 - 1)
large = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)
times = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- Hypothesis takes naive bounds
lists = st.lists(small | words, max_size=3)

KINDS = {"excluded": lists, "topic_confidence": numbers, "confidence": numbers, "weight": numbers}
KINDS |= dict.fromkeys(("reach", "slot"), large)
KINDS |= dict.fromkeys(("clock_started_at", "created_at", "changed_at"), times)
KINDS |= dict.fromkeys(("due_at", "answered_at", "snoozed_until"), st.none() | times)
COUNTS = ("version", "mentions", "flags", "target_s", "offers", "reopened")
KINDS |= dict.fromkeys(COUNTS, small)

AnItem = defstruct("AnItem", NAMES)
AnEvent = defstruct(
    "AnEvent", [c.name for c in EventRow.__table__.columns if c.name != "seq"], kw_only=True
)
Numbered = defstruct("Numbered", [("seq", int)], bases=(AnEvent,), kw_only=True)

an_item = st.fixed_dictionaries(
    {name: KINDS.get(name, words) for name in NAMES if name not in ("id", "thread", "assignee_id")}
)


@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(an_item, min_size=1, max_size=6))
def test_every_row_is_read_back_as_it_was_written(
    sessions: Sessions, drawn: list[dict[str, Any]]
) -> None:
    rows = [
        {"id": number, "thread": str(number), "assignee_id": None, **columns}
        for number, columns in enumerate(drawn)
    ]
    with sessions.begin() as session:
        session.execute(delete(ItemRow))
        insert_rows(session, (ItemRow, [AnItem(**row) for row in rows]))
        stored = session.execute(select(*ItemRow.__table__.columns).order_by(ItemRow.id))
        assert [row._asdict() for row in stored] == rows


def an_event(**changes: Any) -> Struct:
    shared = {"brand": "acme", "at": datetime(2026, 1, 2, tzinfo=UTC), "actor": "role:route"}
    rest = {"kind": "k", "item_id": None, "subject": "", "before": None, "after": None, "why": None}
    kind = Numbered if "seq" in changes else AnEvent
    return kind(**shared | rest | changes)


def test_nothing_and_an_empty_text_are_told_apart(sessions: Sessions) -> None:
    said = {"tab\t": "a\\N\nb", "none": None}
    with sessions.begin() as session:
        events = [an_event(why=said), an_event(subject=r"\N", item_id=7)]
        insert_rows(session, (EventRow, events))
        stored = session.execute(
            select(EventRow.subject, EventRow.item_id, EventRow.why).order_by(EventRow.seq)
        )
        assert [tuple(row) for row in stored] == [("", None, said), (r"\N", 7, None)]


def test_a_key_that_is_there_already_is_refused(sessions: Sessions) -> None:
    with sessions.begin() as session:
        insert_rows(session, (EventRow, [an_event(seq=1)]))
    with pytest.raises(IntegrityError), sessions.begin() as session:
        insert_rows(session, (EventRow, [an_event(seq=1)]))


def test_a_time_without_a_zone_is_refused(sessions: Sessions) -> None:
    naive = an_event(at=datetime(2026, 1, 2) + timedelta(hours=1))  # noqa: DTZ001 -- that is the case
    with pytest.raises(ValueError, match="naive time"), sessions.begin() as session:
        insert_rows(session, (EventRow, [naive]))


def test_a_text_is_never_cut_at_a_nul(sessions: Sessions) -> None:
    refused = False
    try:
        with sessions.begin() as session:
            insert_rows(session, (EventRow, [an_event(subject="a\x00b")]))
    except DataError as error:  # PostgreSQL holds none
        refused = "0x00" in str(error)
    with sessions.begin() as session:
        stored = session.scalars(select(EventRow.subject)).all()
    assert stored == [] if refused else ["a\x00b"]


def test_a_type_without_a_text_is_named() -> None:
    with pytest.raises(TypeError, match="ARRAY"):
        texts_of(ARRAY(String), nullable=False)
