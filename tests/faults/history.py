"""The checker: what the platform gave and received, against database, ledger and log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from collectors.matching.addressed import IN_THREAD
from earshot.database.tables import (
    AssignmentRow,
    BacklogRow,
    DeadLetterRow,
    EventRow,
    ItemRow,
    MentionRow,
    ReplyRow,
    VolumeRow,
)
from earshot.domain import ItemState, ReplyState
from earshot.items.holding import HELD
from earshot.items.lifecycle import OPEN
from tests.faults.world import Truth, World

ENDED = frozenset({ReplyState.CONFIRMED, ReplyState.FAILED})
PENDING = frozenset(ReplyState) - ENDED - {ReplyState.WITHDRAWN, ReplyState.DELETED}
_EXAMPLES = 5


@dataclass
class Findings:
    """Counts of what must be 0, each with some examples, and how much was looked at."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    mentions: int = 0
    overheard: int = 0
    replies: int = 0
    dead_letters: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def found(self, what: str, which: Iterable[object]) -> None:
        """Note each of `which` as one case of `what`."""
        names = [str(one) for one in which]
        self.counts[what] += len(names)
        if names:
            self.examples.setdefault(what, []).extend(names[:_EXAMPLES])


def check_all(
    session: Session,
    world: World,
    queued: Iterable[str],
    poison: Mapping[bytes, int],
    findings: Findings,
) -> None:
    """Everything below, of a system that has settled."""
    check_mentions(session, world.truth(), findings, world.answered_threads())
    check_backlog(session, findings)
    check_replies(session, queued, world.posted(), findings)
    check_assignments(session, findings)
    check_dead_letters(session, poison, findings)


def check_mentions(
    session: Session, truth: Truth, findings: Findings, answered: frozenset[str] = frozenset()
) -> None:
    """Every mention once, in its newest revision, counted once everywhere.

    What stands in a thread of `answered` may be there too although it names no brand: while the
    name of a reply is not known, whatever is written below it may answer it.
    """
    rows = session.execute(
        select(
            MentionRow.id,
            MentionRow.revision,
            MentionRow.deleted,
            MentionRow.thread,
            MentionRow.queries,
        )
    ).all()
    overheard = {
        row.id
        for row in rows
        if row.id not in truth.revisions
        and row.thread in answered
        and set(row.queries) <= {IN_THREAD}
    }
    findings.overheard = len(overheard)
    _check_counts(session, len(rows), findings)
    stored = {row.id: (row.revision, row.deleted) for row in rows if row.id not in overheard}
    findings.mentions = len(stored)
    findings.found("lost", truth.revisions.keys() - stored.keys())
    findings.found("duplicated", stored.keys() - truth.revisions.keys())
    standing = {name for name, (_, deleted) in stored.items() if deleted}
    findings.found("lost", {f"deletion of {n}" for n in truth.deleted - standing})
    findings.found("lost", {f"{n}, which stands" for n in standing - truth.deleted})
    behind = (
        f"revision {truth.revisions[name]} of {name}, which has {revision}"
        for name, (revision, deleted) in stored.items()
        if not deleted and name in truth.revisions and revision != truth.revisions[name]
    )
    findings.found("lost", behind)


def _check_counts(session: Session, stored: int, findings: Findings) -> None:
    """Whatever counts mentions has counted each once."""
    arrivals = EventRow.kind.in_(["mention.new", "item.reopened"])
    for what, query in {
        "counted in items": select(func.sum(ItemRow.mentions)),
        "events of arrival": select(func.count()).select_from(EventRow).where(arrivals),
        "counted in volume": select(func.sum(VolumeRow.n)),
    }.items():
        n = int(session.scalar(query) or 0)
        if n != stored:
            which = "lost" if n < stored else "duplicated"
            findings.found(which, [f"{what}: {n} of {stored}"])


def check_backlog(session: Session, findings: Findings) -> None:
    """The backlog's counts are those of a recount."""
    rows = session.execute(select(ItemRow.state, func.count()).group_by(ItemRow.state))
    recount = {state: n for state, n in rows if ItemState(state) in OPEN}
    kept = session.execute(select(BacklogRow.state, func.sum(BacklogRow.n)).group_by("state"))
    counted = {state: int(n) for state, n in kept if n}
    wrong = [s for s in recount.keys() | counted.keys() if recount.get(s) != counted.get(s)]
    findings.found("backlog differences", wrong)


def check_replies(
    session: Session, queued: Iterable[str], posted: Mapping[str, int], findings: Findings
) -> None:
    """Every reply once on the platform when it is confirmed; none lost, none left hanging."""
    rows = session.execute(select(ReplyRow.key, ReplyRow.state, ReplyRow.native_id)).all()
    outcomes = {row.key: ReplyState(row.state) for row in rows}
    findings.replies = len(outcomes)
    findings.ended = Counter(state.value for state in outcomes.values())
    findings.found("lost replies", set(queued) - outcomes.keys())
    findings.found("double replies", {key for key, n in posted.items() if n > 1})
    findings.found("replies nobody wrote", posted.keys() - outcomes.keys())
    missing = (k for k, s in outcomes.items() if s is ReplyState.CONFIRMED and not posted.get(k))
    findings.found("lost replies", missing)
    nameless = (r.key for r in rows if r.state == ReplyState.CONFIRMED and not r.native_id)
    findings.found("lost replies", nameless)
    findings.found("stuck", (f"reply {k} is {s}" for k, s in outcomes.items() if s in PENDING))


def check_assignments(session: Session, findings: Findings) -> None:
    """One holder of an item at a time, in what stands now and in what happened."""
    live = session.execute(
        select(AssignmentRow.item_id, func.count().label("n"))
        .where(AssignmentRow.state != "ended")
        .group_by(AssignmentRow.item_id)
    )
    holders: dict[int, int] = {row.item_id: row.n for row in live}
    findings.found("double assignments", (item for item, n in holders.items() if n > 1))
    events = session.execute(
        select(EventRow.item_id, EventRow.kind, EventRow.before, EventRow.after)
        .where(EventRow.item_id.is_not(None))
        .order_by(EventRow.item_id, EventRow.seq)
    )
    findings.found("double assignments", _held_twice(events))
    items = session.execute(select(ItemRow.id, ItemRow.state).where(ItemRow.state.in_(HELD)))
    held: dict[int, str] = {row.id: row.state for row in items}
    sending = {item for item, state in held.items() if state == ItemState.SENDING}
    pending = set(
        session.scalars(select(ReplyRow.item_id).where(ReplyRow.state.in_(sorted(PENDING))))
    )
    findings.found("stuck", (f"item {i} is sending nothing" for i in sending - pending))
    findings.found("stuck", (f"item {i} is held by nobody" for i in held.keys() - holders.keys()))


def _held_twice(events: Iterable[Any]) -> list[str]:
    """Offers made while somebody held the item, by the order of its events."""
    holder: dict[int, Any] = {}
    twice = []
    for item, kind, _, after in events:
        if after is None or "assignee_id" not in after:
            continue
        if kind == "assignment.offered" and holder.get(item) is not None:
            twice.append(f"item {item}: {holder[item]}, then {after['assignee_id']}")
        holder[item] = after["assignee_id"]
    return twice


def check_dead_letters(session: Session, poison: Mapping[bytes, int], findings: Findings) -> None:
    """The dead letters are the poison, each once for each time that it was put into the log.

    `poison` counts how often each value was sent at most: what got no answer may stand there.
    """
    buried = Counter(session.scalars(select(DeadLetterRow.value)))
    findings.dead_letters = buried.total()
    findings.found("poison not set aside", (v[:60] for v in poison.keys() - buried.keys()))
    findings.found("dead letters that were well", (v[:60] for v in buried.keys() - poison.keys()))
    more = (v[:60] for v, n in buried.items() if n > poison.get(v, n))
    findings.found("dead letters doubled", more)
