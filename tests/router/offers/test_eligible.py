"""What SQL reads of the queue is what somebody may take: no more, and nothing else hides it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from earshot.database.db import Sessions
from earshot.database.tables import ItemRow
from earshot.domain import ItemState
from earshot.time import hours
from router.assign.escalation import UNSERVED_AFTER, Escalations
from router.assign.state import Responder, Waiting, ineligibility_reason, likely_fit
from router.offers import snapshot
from router.offers.eligible import PROFILES, takeable, unservable
from router.policy.policy import Policy
from tests.builders import NOON
from tests.router.people import hire
from tests.router.policies import a_policy
from tests.rows import an_item

MINUTE = timedelta(minutes=1)
FIT = a_policy(("binding: late", "binding: slots"))
MIN_FITS = (0.0, 0.25, 0.75)


def strict(min_fit: float) -> Policy:
    objective = f"objective: {{kind: greedy, min_fit: {min_fit}}}\ndefaults:"
    return a_policy(("defaults:", objective))


POLICIES = {min_fit: strict(min_fit) for min_fit in MIN_FITS}


def values(number: int, **changes: Any) -> dict[str, Any]:
    """A queued item as a row: an English question of the team care, due in two hours."""
    started = changes.get("clock_started_at", NOON)
    item = an_item(
        f"simulator:{number}",
        id=number,
        state=ItemState.QUEUED,
        **(
            {
                "team": "care",
                "topic": "billing",
                "target": "first",
                "target_s": 7200,
                "calendar": "office",
                "due_at": started + timedelta(hours=2),
                "weight": 2.0,
                "excluded": [],
                "offers": 0,
            }
            | changes
        ),
    )
    names = [column.key for column in ItemRow.__table__.columns]
    return {name: getattr(item, name) for name in names if getattr(item, name) is not None}


def queue(session: Session, *rows: dict[str, Any]) -> None:
    for names in dict.fromkeys(map(tuple, rows)):
        session.execute(insert(ItemRow), [row for row in rows if tuple(row) == names])


def a_responder(number: int, **changes: Any) -> Responder:
    default = Responder(id=number, teams=frozenset({"care"}), langs=frozenset(), skills={}, limit=1)
    return replace(default, **changes)


def waiting_of(row: ItemRow) -> Waiting:
    return Waiting(
        id=row.id,
        version=row.version,
        team=row.team,
        topic=row.topic,
        topic_confidence=row.topic_confidence,
        lang=row.lang,
        weight=row.weight,
        clock_started_at=row.clock_started_at,
        due_at=row.due_at,
        target=timedelta(seconds=row.target_s),
        calendar=row.calendar,
        excluded=frozenset(row.excluded),
        offers=row.offers,
    )


PROMISES = [("always", 15), ("always", 20), ("office", 120), ("office", 240)]
"""The calendars and minutes of what the test policy promises."""


@st.composite
def promised(draw: st.DrawFn) -> dict[str, Any]:
    """A clock as the router sets it: due when the target is over on its calendar."""
    calendar, minutes = draw(st.sampled_from(PROMISES))
    started = NOON - draw(st.integers(0, 4000)) * MINUTE
    policy = POLICIES[0.25]
    target = next(
        target
        for rule in policy.priorities
        for target in (rule.first, rule.next)
        if (target.calendar, target.within) == (calendar, minutes * MINUTE)
    )
    return {
        "clock_started_at": started,
        "calendar": calendar,
        "target_s": minutes * 60,
        "due_at": hours.add(policy.calendars[target.calendar], started, target.within),
    }


numbers = st.integers(1, 4)
items = st.builds(
    lambda number, clock, others: values(number, **(clock | others)),
    st.integers(1, 12),
    promised(),
    st.fixed_dictionaries(
        {
            "team": st.sampled_from(["care", "tech", "social"]),
            "lang": st.sampled_from(["en", "fr", "und"]),
            "topic": st.sampled_from(["", "billing", "outage"]),
            "topic_confidence": st.sampled_from([0.0, 0.25, 0.4, 0.5, 0.75, 0.9, 1.0]),
            "excluded": st.lists(st.sampled_from([1, 2, 3, 4, 11, 12]), unique=True, max_size=3),
        }
    ),
)
queues = st.lists(items, max_size=8, unique_by=lambda row: row["id"])
people = st.lists(
    st.builds(
        a_responder,
        st.sampled_from([1, 2, 3, 12]),
        teams=st.frozensets(st.sampled_from(["care", "tech"]), max_size=2),
        langs=st.frozensets(st.sampled_from(["en", "fr"]), max_size=2),
        skills=st.dictionaries(st.sampled_from(["billing", "outage"]), st.integers(0, 3)),
    ),
    max_size=4,
    unique_by=lambda one: one.id,
)


def for_any(
    sessions: Sessions,
    check: Callable[[Session, list[dict[str, Any]], list[Responder], float], None],
) -> None:
    """Hold `check` for any queue and people; each example's items are gone after it."""

    @settings(deadline=None, max_examples=80)
    @given(queues, people, st.sampled_from(MIN_FITS))
    def law(rows: list[dict[str, Any]], roster: list[Responder], min_fit: float) -> None:
        with sessions() as session:
            queue(session, *rows)
            check(session, rows, roster, min_fit)
            session.rollback()

    law()


def test_what_sql_calls_takeable_is_what_a_decision_may_offer(sessions: Sessions) -> None:
    def check(
        session: Session, rows: list[dict[str, Any]], roster: list[Responder], min_fit: float
    ) -> None:
        policy = POLICIES[min_fit]
        read = set(session.scalars(select(ItemRow.id).where(takeable(policy, roster, NOON))))
        expected = set()
        for row in session.scalars(select(ItemRow)):
            item = waiting_of(row)
            teams = policy.routing.routes.teams(item, NOON)
            if any(
                not ineligibility_reason(item, one, teams) and likely_fit(item, one) >= min_fit
                for one in roster
            ):
                expected.add(item.id)
        assert read == expected

    for_any(sessions, check)


def test_what_sql_calls_unservable_is_what_goes_to_a_listener(sessions: Sessions) -> None:
    def check(
        session: Session, rows: list[dict[str, Any]], roster: list[Responder], min_fit: float
    ) -> None:
        policy, later = POLICIES[min_fit], NOON + UNSERVED_AFTER
        read = set(session.scalars(select(ItemRow.id).where(unservable(policy, roster))))
        escalations = Escalations(roster, policy.routing.routes, min_fit)
        expected = set()
        for row in session.scalars(select(ItemRow)):
            escalated = escalations.of(replace(waiting_of(row), excluded=frozenset()), later)
            if escalated is not None:
                assert escalated.reason.startswith("nobody in ")
                expected.add(row.id)
        assert read == expected

    for_any(sessions, check)


def loaded(sessions: Sessions, policy: Policy = FIT, now: datetime = NOON) -> set[int]:
    with sessions() as session:
        state, _ = snapshot.load(session, policy, now, thorough=False)
    return {item.id for item in state.waiting}


def fill(sessions: Sessions, count: int, **changes: Any) -> None:
    with sessions.begin() as session:
        queue(session, *(values(1000 + n, **changes) for n in range(count)))


URGENT = {"due_at": NOON + 15 * MINUTE, "target_s": 900, "calendar": "always"}


@pytest.mark.parametrize(
    "hiding",
    [
        {"lang": "fr"},
        {"team": "press"},
        {"team": "tech", "clock_started_at": NOON, "due_at": NOON + 120 * MINUTE},
        {"topic": "outage", "topic_confidence": 0.9},
        {"excluded": [1]},
        {"due_at": NOON - 5 * MINUTE},
        {"due_at": NOON - timedelta(days=20), "clock_started_at": NOON - timedelta(days=20)},
    ],
    ids=["language", "unstaffed", "not yet widened", "skill", "given back", "lost", "long lost"],
)
def test_six_hundred_that_nobody_free_can_take_or_keep_hide_no_fresh_one(
    sessions: Sessions, hiding: dict[str, Any]
) -> None:
    hire(sessions, 1, langs=["en"], skills={"billing": 2})
    fill(sessions, 600, **({"due_at": NOON + 10 * MINUTE} | hiding))
    with sessions.begin() as session:
        queue(session, values(1, **URGENT), values(2, due_at=NOON + timedelta(hours=9)))
    assert {1, 2} <= loaded(sessions)
    assert len(loaded(sessions)) <= 500


def test_a_small_queue_is_read_whole(sessions: Sessions) -> None:
    hire(sessions, 1, langs=["en"])
    fill(sessions, 500, lang="fr")
    assert len(loaded(sessions)) == 500
    with sessions.begin() as session:
        queue(session, values(1, lang="fr"))
    assert len(loaded(sessions)) == 0


def test_of_many_lost_ones_the_newest_losses_and_the_longest_waiting_are_read(
    sessions: Sessions,
) -> None:
    hire(sessions, 1)
    with sessions.begin() as session:
        for n in range(600):
            lost = NOON - timedelta(hours=1 + n)
            queue(session, values(n + 1, due_at=lost, clock_started_at=lost - timedelta(hours=2)))
    read = loaded(sessions)
    assert set(range(1, 101)) <= read  # the newest losses
    assert set(range(551, 601)) <= read  # what has waited longest
    assert len(read) == 150


def test_what_was_never_promised_is_read_too_the_newest_first(sessions: Sessions) -> None:
    hire(sessions, 1)
    with sessions.begin() as session:
        old = NOON - timedelta(days=200)
        for n in range(600):
            row = values(n + 1, clock_started_at=old, target_s=0, target="")
            del row["due_at"]
            queue(session, row)
    assert loaded(sessions) == set(range(551, 601))


def test_with_more_kinds_of_people_than_are_told_apart_everything_of_their_teams_is_read(
    sessions: Sessions,
) -> None:
    roster = [
        a_responder(n, langs=frozenset({f"l{n}"}), skills={f"s{n}": 1}) for n in range(PROFILES + 1)
    ]
    fill(sessions, 3, lang="fr", topic="outage", topic_confidence=0.9)
    with sessions() as session:
        read = session.scalars(select(ItemRow.id).where(takeable(FIT, roster, NOON))).all()
        assert len(read) == 3
        session.execute(delete(ItemRow))
