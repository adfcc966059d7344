"""What happened to an item, in words and with the reasons: read from its events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import lazy
from earshot.database.tables import EventRow, PersonRow
from earshot.items.events import EventKind

LIMIT = 200

SENTENCES: Mapping[str, str] = {
    EventKind.ITEM_NEW: lazy("sent it to triage"),
    EventKind.ITEM_QUEUED: lazy("queued it for %(team)s"),
    EventKind.ITEM_ASSIGNED: lazy("assigned it to %(assignee)s"),
    EventKind.ITEM_ANSWERING: lazy("started answering"),
    EventKind.ITEM_AWAITING_APPROVAL: lazy("asked for approval"),
    EventKind.ITEM_SENDING: lazy("started sending a reply"),
    EventKind.ITEM_ANSWERED: lazy("answered it"),
    EventKind.ITEM_CLOSED: lazy("closed it"),
    EventKind.ITEM_SNOOZED: lazy("snoozed it"),
    EventKind.ITEM_DISMISSED: lazy("dismissed it: %(reason)s"),
    EventKind.ITEM_EXPIRED: lazy("marked it as expired"),
    EventKind.ITEM_WOKEN: lazy("ended the snooze"),
    EventKind.ITEM_ESCALATED: lazy("raised its urgency"),
    EventKind.ITEM_UNDONE: lazy("undid the last decision"),
    EventKind.ITEM_REOPENED: lazy("reopened it"),
    EventKind.ITEM_KEPT: lazy("left it as it was"),
    EventKind.MENTION_NEW: lazy("created the item"),
    EventKind.LABEL_CORRECTED: lazy("corrected a label"),
    EventKind.MENTION_EDITED: lazy("recorded that the author edited the post"),
    EventKind.MENTION_DELETED: lazy("recorded that the post was deleted"),
    EventKind.REPLY_QUEUED: lazy("queued a reply"),
    EventKind.REPLY_WITHDRAWN: lazy("withdrew a reply"),
    EventKind.REPLY_SENDING: lazy("started sending a reply"),
    EventKind.REPLY_SENT: lazy("sent a reply"),
    EventKind.REPLY_CONFIRMED: lazy("confirmed that the reply is on the platform"),
    EventKind.REPLY_FAILED: lazy("could not send the reply"),
    EventKind.REPLY_UNKNOWN: lazy("is not sure that the reply arrived"),
    EventKind.REPLY_SEEN_OUTSIDE: lazy("recorded an answer given on the platform"),
    EventKind.ASSIGNMENT_OFFERED: lazy("offered it to %(assignee)s"),
    EventKind.ASSIGNMENT_ACCEPTED: lazy("accepted it"),
    EventKind.ASSIGNMENT_RELEASED: lazy("returned it to the queue"),
}
"""What happened, by the kind of event: every kind that belongs to an item has its sentence."""

_ROLES: Mapping[str, str] = {
    "collect": lazy("The collector"),
    "classify": lazy("The classifier"),
    "route": lazy("The router"),
    "sweep": lazy("The sweeper"),
    "send": lazy("The sender"),
    "maintain": lazy("Maintenance"),
}
_HIDDEN = frozenset({"verdict", "client", "policy_version"})
_PLAIN_LIMIT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a timeline: who did what, what changed, and on what grounds."""

    at: datetime
    who: str
    what: str
    changes: tuple[tuple[str, str, str], ...]
    reasons: tuple[tuple[str, str], ...]


def timeline(session: Session, brand: str, item_id: int) -> list[Entry]:
    """The newest 200 events of an item, the newest first."""
    rows = session.scalars(
        select(EventRow)
        .where(EventRow.item_id == item_id, EventRow.brand == brand)
        .order_by(EventRow.seq.desc())
        .limit(LIMIT)
    ).all()
    names = names_of(session, _people(rows))
    return [_entry(row, names) for row in rows]


def last_entry(session: Session, brand: str, item_id: int) -> Entry | None:
    """Who changed an item last, and how."""
    row = session.scalars(
        select(EventRow)
        .where(EventRow.item_id == item_id, EventRow.brand == brand)
        .order_by(EventRow.seq.desc())
        .limit(1)
    ).first()
    return _entry(row, names_of(session, _people([row]))) if row else None


def names_of(session: Session, people: Iterable[int]) -> dict[int, str]:
    """Names by person id; only ids that exist are in it."""
    wanted = set(people)
    if not wanted:
        return {}
    rows = session.execute(select(PersonRow.id, PersonRow.name).where(PersonRow.id.in_(wanted)))
    return {person: name for person, name in rows}  # noqa: C416 -- rows are not typed as pairs


def _people(rows: Iterable[EventRow]) -> set[int]:
    found = set()
    for row in rows:
        role, _sep, number = row.actor.partition(":")
        if role == "person" and number.isdigit():
            found.add(int(number))
        for side in (row.before, row.after):
            assignee = (side or {}).get("assignee_id")
            if isinstance(assignee, int):
                found.add(assignee)
    return found


def _entry(row: EventRow, names: Mapping[int, str]) -> Entry:
    before, after = row.before or {}, row.after or {}
    return Entry(
        at=row.at,
        who=actor_name(row.actor, names),
        what=_what(row, after, names),
        changes=tuple(
            (name, _named(before.get(name), name, names), _named(after[name], name, names))
            for name in after
            if name in ("topic", "sentiment", "team", "snoozed_until", "assignee_id", "text")
        ),
        reasons=tuple(
            (name, plain(value))
            for name, value in (row.why or {}).items()
            if name not in _HIDDEN and value not in (None, "", [], {})
        ),
    )


def actor_name(actor: str, names: Mapping[int, str]) -> str:
    """A person's name, or the name of the part of Earshot that acted."""
    role, _sep, name = actor.partition(":")
    if role == "person":
        return names.get(int(name), _("someone")) if name.isdigit() else _("someone")
    return _(_ROLES.get(name, name or actor))


def _what(row: EventRow, after: Mapping[str, Any], names: Mapping[int, str]) -> str:
    sentence = SENTENCES.get(row.kind)
    if sentence is None:
        return row.kind.replace(".", " ").replace("_", " ")
    return _(
        sentence,
        team=after.get("team") or _("its team"),
        assignee=names.get(after.get("assignee_id") or 0, _("a responder")),
        reason=after.get("state_reason") or _("no reason given"),
    )


def plain(value: Any) -> str:
    """A value of an event or a decision as a person reads it, bounded."""
    match value:
        case None | "":
            text = "—"
        case list() | tuple():
            text = ", ".join(plain(part) for part in value)
        case dict():
            text = ", ".join(f"{key}: {plain(part)}" for key, part in value.items())
        case _:
            text = str(value)
    return text if len(text) <= _PLAIN_LIMIT else text[:_PLAIN_LIMIT] + "…"


def _named(value: Any, name: str, names: Mapping[int, str]) -> str:
    if name == "assignee_id" and isinstance(value, int):
        return names.get(value, str(value))
    return plain(value)
