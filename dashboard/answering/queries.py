"""What a responder holds and could take, by deadline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer
from dashboard.frame.deadlines import Level, badge
from dashboard.lists.item_pages import ItemLine, columns, line_of
from dashboard.thread import decisions
from dashboard.thread.conversation import NEVER_SENT
from earshot.database.tables import AssignmentRow, ItemRow, PersonRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.items import assignments
from earshot.items.holding import HELD
from earshot.items.lifecycle import Forbidden, Stale

MOST = 200
SIMILAR = 3
SHOWN_CONFIRMED = timedelta(minutes=1)
_TRIES = 20
_REPLIES_READ = 500


@dataclass(frozen=True, slots=True)
class Groups:
    """A responder's items: by how near their deadline is, and those on their way out."""

    overdue: tuple[ItemLine, ...]
    risk: tuple[ItemLine, ...]
    later: tuple[ItemLine, ...]
    sending: tuple[ItemLine, ...]

    @property
    def in_order(self) -> tuple[ItemLine, ...]:
        return self.overdue + self.risk + self.later + self.sending

    @property
    def waiting(self) -> tuple[ItemLine, ...]:
        return self.overdue + self.risk + self.later


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """How an item came to its holder, in sentences; an offer ends at `lease_until` by itself.

    `policy_version` is empty where a person decided.
    """

    state: str
    lease_until: datetime | None
    policy_version: str
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """An earlier answer of ours that was seen on the platform."""

    item_id: int
    text: str
    at: datetime | None


def held_by(session: Session, who: Viewer, now: datetime) -> Groups:
    """The viewer's items in groups, each by deadline; those without one come last."""
    rows = session.execute(
        select(*columns())
        .where(
            ItemRow.assignee_id == who.person_id,
            ItemRow.brand == who.brand,
            ItemRow.state.in_(HELD),
        )
        .order_by(ItemRow.due_at.is_(None), ItemRow.due_at, ItemRow.clock_started_at, ItemRow.id)
        .limit(MOST)
    )
    return grouped((line_of(row) for row in rows), now)


def grouped(lines: Iterable[ItemLine], now: datetime) -> Groups:
    """Lines by level, in the order they came."""
    found: dict[str, list[ItemLine]] = {level: [] for level in (*Level, "sending")}
    for line in lines:
        deadline = badge(line.due_at, line.target_s, now)
        level = deadline.level if deadline else Level.LATER
        found["sending" if line.state == ItemState.SENDING else level].append(line)
    return Groups(
        tuple(found[Level.OVERDUE]),
        tuple(found[Level.RISK]),
        tuple(found[Level.LATER]),
        tuple(found["sending"]),
    )


def following(groups: Groups, item_id: int) -> int | None:
    """The most urgent other item of a queue."""
    return next((line.id for line in groups.waiting if line.id != item_id), None)


def reply_states(session: Session, who: Viewer, items: Iterable[int]) -> dict[int, str]:
    """How the newest reply to each item is: only what is on its way, failed or confirmed."""
    rows = session.execute(
        select(ReplyRow.item_id, ReplyRow.state)
        .where(
            ReplyRow.item_id.in_(list(items)),
            ReplyRow.brand == who.brand,
            ReplyRow.state.not_in(NEVER_SENT),
        )
        .order_by(ReplyRow.id)
    )
    return {row.item_id: row.state for row in rows}


def just_confirmed(
    session: Session, who: Viewer, items: Iterable[int], now: datetime
) -> tuple[ItemLine, ...]:
    """Those of the items that the viewer's reply has ended within the last minute.

    They are held no more. A page that showed them on their way shows how that ended.
    """
    rows = session.execute(
        select(*columns())
        .join(ReplyRow, ReplyRow.item_id == ItemRow.id)
        .where(
            ItemRow.id.in_(list(items)),
            ItemRow.brand == who.brand,
            ItemRow.state.not_in(HELD),
            ReplyRow.person_id == who.person_id,
            ReplyRow.state == ReplyState.CONFIRMED,
            ReplyRow.confirmed_at > now - SHOWN_CONFIRMED,
        )
        .order_by(ItemRow.id)
    )
    return tuple({line.id: line for line in map(line_of, rows)}.values())


def offers(session: Session, who: Viewer) -> dict[int, datetime | None]:
    """Items that are offered to the viewer and not accepted yet, with when each offer ends."""
    rows = session.execute(
        select(AssignmentRow.item_id, AssignmentRow.lease_until).where(
            AssignmentRow.person_id == who.person_id,
            AssignmentRow.brand == who.brand,
            AssignmentRow.state == "offered",
        )
    )
    return {row.item_id: row.lease_until for row in rows}


def assignment_of(session: Session, brand: str, item_id: int) -> Assignment | None:
    """The newest assignment of an item."""
    row = session.scalars(
        select(AssignmentRow)
        .where(AssignmentRow.item_id == item_id, AssignmentRow.brand == brand)
        .order_by(AssignmentRow.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    people = select(PersonRow.id, PersonRow.name).where(
        PersonRow.id.in_(decisions.people_in(row.explain))
    )
    names = {person.id: person.name for person in session.execute(people)}
    return Assignment(
        state=row.state,
        lease_until=row.lease_until,
        policy_version="" if row.policy_version == assignments.BY_HAND else row.policy_version,
        why=tuple(decisions.in_words(row.explain, names)),
    )


def similar_answers(session: Session, brand: str, item: ItemLine) -> list[Answer]:
    """The newest three confirmed answers on the same topic, among the newest 500 replies."""
    if not item.topic:
        return []
    newest = (
        select(ReplyRow.id, ReplyRow.item_id, ReplyRow.text, ReplyRow.confirmed_at)
        .where(ReplyRow.brand == brand, ReplyRow.state == ReplyState.CONFIRMED)
        .order_by(ReplyRow.id.desc())
        .limit(_REPLIES_READ)
        .subquery()
    )
    rows = session.execute(
        select(newest.c.item_id, newest.c.text, newest.c.confirmed_at)
        .join(ItemRow, ItemRow.id == newest.c.item_id)
        .where(ItemRow.topic == item.topic, ItemRow.id != item.id)
        .order_by(newest.c.id.desc())
        .limit(SIMILAR)
    )
    return [Answer(row.item_id, row.text, row.confirmed_at) for row in rows]


def take_next(session: Session, who: Viewer, now: datetime) -> int | None:
    """Take the most urgent queued item of the viewer's teams; None when there is none.

    Without teams, any item of the brand. Items that the person gave back are passed over.
    """
    base = select(ItemRow.id, ItemRow.version, ItemRow.excluded).where(
        ItemRow.brand == who.brand, ItemRow.state == ItemState.QUEUED
    )
    if who.teams:
        base = base.where(ItemRow.team.in_(("", *who.teams)))
    promised = base.where(ItemRow.due_at.is_not(None)).order_by(ItemRow.due_at, ItemRow.id)
    others = base.where(ItemRow.due_at.is_(None)).order_by(ItemRow.clock_started_at, ItemRow.id)
    for question in (promised, others):
        for row in session.execute(question.limit(_TRIES)).all():
            if who.person_id in row.excluded:
                continue
            try:
                with session.begin_nested():
                    take(session, who, row.id, row.version, now)
            except (Stale, Forbidden):
                continue  # a colleague was faster: the next one then
            return int(row.id)
    return None


def take(session: Session, who: Viewer, item_id: int, expect: int | None, now: datetime) -> int:
    """Take an item oneself; its new version. Raises Stale and Forbidden."""
    why = {"reason": "taken by hand"}
    return assignments.give(
        session, who.brand, item_id, who.person_id, who.actor, now, expect=expect, why=why
    )
