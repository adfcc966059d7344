"""The life of an item: every way it may go, counted right, told once."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import AssignmentRow, BacklogRow, EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items import lifecycle, rollups
from earshot.items.events import EventKind
from earshot.items.holding import HELD, Hold
from earshot.items.lifecycle import NEXT, OPEN, Change, Forbidden, Stale, move, slot_of, slot_start
from tests.builders import NOON
from tests.rows import a_person, add_item, an_item, database

HOLD = Hold(person_id=1, policy_version="v1", explain={})
COUNTED = ("brand", "state", "team", "sentiment", "flags", "slot")


@pytest.fixture
def engine(database_url: str) -> Any:
    made = database(database_url)
    with db.open_sessions(made).begin() as session:
        session.add(a_person())
        add_item(session, an_item())
    yield made
    made.dispose()


def change(session: Session, **columns: Any) -> Change:
    item = session.scalars(select(ItemRow)).one()
    defaults: dict[str, Any] = {
        "item_id": item.id,
        "brand": "acme",
        "actor": "person:1",
        "at": NOON,
    }
    if columns.get("to") in HELD:
        defaults["hold"] = HOLD
    return Change(**defaults | columns)


def recount(session: Session) -> Counter[tuple[Any, ...]]:
    """What the backlog should say, counted from the items themselves."""
    items = session.execute(select(*(getattr(ItemRow, name) for name in COUNTED)))
    return Counter(tuple(row) for row in items if ItemState(row.state) in OPEN)


def backlog(session: Session) -> dict[tuple[Any, ...], int]:
    rollups.write(session)
    rows = session.execute(select(*(getattr(BacklogRow, n) for n in COUNTED), BacklogRow.n))
    return {tuple(row)[:-1]: row.n for row in rows}


def whole(session: Session) -> tuple[Any, ...]:
    """Everything that a forbidden move must leave alone."""
    session.expire_all()
    item = session.execute(select(*ItemRow.__table__.c)).all()
    events = session.execute(select(*EventRow.__table__.c)).all()
    return (item, events, backlog(session))


# ---------------------------------------------------------------- what may follow what


def test_every_state_has_its_followers_and_none_follows_itself() -> None:
    assert set(NEXT) == set(ItemState)
    assert not [state for state, following in NEXT.items() if state in following]
    assert HELD < OPEN
    assert {ItemState.ANSWERED, ItemState.CLOSED, ItemState.DISMISSED}.isdisjoint(OPEN)


def test_an_item_can_get_from_anywhere_to_an_end_and_back_to_work() -> None:
    for start in ItemState:
        reached, edge = {start}, {start}
        while edge:
            edge = set().union(*(NEXT[state] for state in edge)) - reached
            reached |= edge
        assert {ItemState.CLOSED, ItemState.QUEUED} <= reached


@pytest.mark.parametrize("after", ItemState)
@pytest.mark.parametrize("before", ItemState)
def test_a_move_is_allowed_or_changes_nothing(before: ItemState, after: ItemState) -> None:
    engine = database()
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        add_item(session, an_item(state=before))
        stood = whole(session)
        if after == before or after in NEXT[before]:
            assert move(session, change(session, to=after)) == 2
            assert session.scalar(select(ItemRow.state)) == after
        else:
            with pytest.raises(Forbidden, match=f"that is {before} can't become {after}; it may"):
                move(session, change(session, to=after))
            assert whole(session) == stood
        assert backlog(session) == recount(session)
    engine.dispose()


# ---------------------------------------------------------------- one change


def test_a_move_writes_one_event_with_what_changed(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        why = {"rule": "vip", "score": 3}
        columns = {"team": "care", "due_at": NOON, "preview": "Acme checkout keeps failing"}
        moved = change(session, to=ItemState.QUEUED, why=why, columns=columns, at=NOON)
        assert move(session, moved) == 2
    with db.open_sessions(engine).begin() as session:
        (event,) = session.scalars(select(EventRow))
        item = session.scalars(select(ItemRow)).one()
    assert (event.kind, event.actor, event.brand, event.at) == (
        "item.queued",
        "person:1",
        "acme",
        NOON,
    )
    assert (event.item_id, event.subject, event.why) == (item.id, str(item.id), why)
    assert event.before == {"state": "new", "team": "", "due_at": None}
    assert event.after == {"state": "queued", "team": "care", "due_at": "2026-03-02T12:00:00Z"}
    assert (item.state, item.team, item.due_at, item.version) == ("queued", "care", NOON, 2)


def test_a_change_without_a_state_keeps_it_and_is_told_by_its_own_kind(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        move(session, change(session, kind=EventKind.LABEL_CORRECTED, columns={"team": "tech"}))
        (event,) = session.scalars(select(EventRow))
        assert (event.kind, event.after) == (EventKind.LABEL_CORRECTED, {"team": "tech"})
        assert session.scalar(select(ItemRow.state)) == "new"
        assert backlog(session) == recount(session)


def test_a_moved_clock_moves_the_item_to_its_slot(engine: Engine) -> None:
    later = NOON + timedelta(hours=2)
    with db.open_sessions(engine).begin() as session:
        move(session, change(session, columns={"clock_started_at": later}))
        assert session.scalar(select(ItemRow.slot)) == slot_of(later)
        assert backlog(session) == recount(session)


def test_a_decision_on_an_old_version_changes_nothing(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        assert move(session, change(session, to=ItemState.QUEUED, expect=1)) == 2
    with db.open_sessions(engine).begin() as session:
        stood = whole(session)
        with pytest.raises(Stale, match="changed by somebody else; read it again"):
            move(session, change(session, to=ItemState.ASSIGNED, expect=1))
        assert whole(session) == stood
        assert move(session, change(session, to=ItemState.ASSIGNED, expect=2)) == 3


@pytest.mark.parametrize("held", sorted(HELD))
def test_an_item_that_nobody_holds_is_in_no_held_state(engine: Engine, held: ItemState) -> None:
    with db.open_sessions(engine).begin() as session:
        move(session, change(session, to=ItemState.QUEUED))
        stood = whole(session)
        with pytest.raises(Forbidden, match=f"nobody holds can't become {held}; give it to"):
            move(session, change(session, to=held, hold=None))
        with pytest.raises(Forbidden, match="an item that is snoozed can't be held; it may be"):
            move(session, change(session, to=ItemState.SNOOZED, hold=HOLD))
        assert whole(session) == stood


def test_an_assignment_begins_and_ends_with_the_move_that_changes_its_item(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        move(session, change(session, to=ItemState.ASSIGNED))
        move(session, change(session, to=ItemState.ANSWERING, hold=None))
        item = session.scalars(select(ItemRow)).one()
        (live,) = session.scalars(select(AssignmentRow))
        assert (item.assignee_id, live.person_id, live.state) == (1, 1, "accepted")
    with db.open_sessions(engine).begin() as session:
        why = {"reason": "no reply needed"}
        move(session, change(session, to=ItemState.CLOSED, why=why))
        item = session.scalars(select(ItemRow)).one()
        (ended,) = session.scalars(select(AssignmentRow))
        assert (item.assignee_id, ended.state, ended.ended_at) == (None, "ended", NOON)
        assert ended.end_reason == "no reply needed"


def test_an_item_of_another_brand_is_not_there(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        stood = whole(session)
        with pytest.raises(Stale, match="is not an item of brand 'zen'"):
            move(session, change(session, brand="zen", to=ItemState.QUEUED))
        assert whole(session) == stood


@pytest.mark.services
def test_who_loses_a_race_on_postgres_is_told_so(postgres_url: str) -> None:
    from tests.services.postgres import fresh_database

    with fresh_database(postgres_url) as url:
        engine = database(url)
        sessions = db.open_sessions(engine)
        with sessions.begin() as session:
            add_item(session, an_item())
        with sessions() as slow:
            moved = change(slow, to=ItemState.DISMISSED, expect=1)
            with sessions.begin() as quick:
                move(quick, change(quick, to=ItemState.QUEUED, expect=1))
            with pytest.raises(Stale):
                move(slow, moved)
        with sessions.begin() as session:
            assert session.scalar(select(ItemRow.state)) == "queued"
            assert backlog(session) == recount(session)
        engine.dispose()


def test_events_of_other_things_are_appended(engine: Engine) -> None:
    events: list[dict[str, Any]] = [
        {"subject": "x-mentions", "after": {"state": "failing"}},
        {"item_id": 7},
    ]
    with db.open_sessions(engine).begin() as session:
        lifecycle.record(session, "acme", NOON, "role:collect", EventKind.SOURCE_HEALTH, events)
        lifecycle.record(session, "acme", NOON, "role:collect", EventKind.SOURCE_HEALTH, [])
        rows = list(session.scalars(select(EventRow).order_by(EventRow.seq)))
    assert [(r.subject, r.item_id, r.after) for r in rows] == [
        ("x-mentions", None, {"state": "failing"}),
        ("", 7, None),
    ]


# ---------------------------------------------------------------- the law of the backlog

moves = st.tuples(
    st.integers(0, 3),
    st.sampled_from([None, *ItemState]),
    st.fixed_dictionaries(
        {},
        optional={
            "team": st.sampled_from(["", "care", "tech"]),
            "sentiment": st.sampled_from(["negative", "positive"]),
            "flags": st.integers(0, 7),
            "assignee_id": st.none() | st.just(1),
            "clock_started_at": st.integers(0, 4_000).map(lambda s: NOON + timedelta(seconds=s)),
        },
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=25))
def test_after_any_moves_the_backlog_equals_a_recount(
    steps: list[tuple[int, ItemState | None, dict[str, Any]]],
) -> None:
    engine = database()
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        for number in range(4):
            add_item(session, an_item(f"simulator:{number}", brand=["acme", "zen"][number % 2]))
        items = list(session.scalars(select(ItemRow)))
        done = 0
        for number, to, columns in steps:
            item = items[number]
            wanted = Change(
                item_id=item.id, brand=item.brand, actor="t", at=NOON, to=to, columns=columns
            )
            try:
                move(session, wanted)
                done += 1
            except Forbidden:
                pass
        session.expire_all()
        assert backlog(session) == recount(session)
        assert all(n > 0 for n in backlog(session).values())
        assert len(session.scalars(select(EventRow.seq)).all()) == done
        assert sum(item.version - 1 for item in items) == done
    engine.dispose()


@given(st.datetimes(min_value=NOON.replace(year=1971, tzinfo=None)))
def test_a_time_lies_in_its_slot(moment: Any) -> None:
    aware = moment.replace(tzinfo=NOON.tzinfo)
    start = slot_start(slot_of(aware))
    assert start <= aware < start + timedelta(seconds=300)
