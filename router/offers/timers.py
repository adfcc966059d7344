"""Items whose time has come: snoozed ones wake up, and very old ones expire."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.database.tables import EventRow, ItemRow
from earshot.domain import ItemState
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change
from router.offers.claims import ACTOR, SWEPT
from router.policy.policy import Policy

WAITING = (ItemState.NEW, ItemState.QUEUED)


def due(session: Session, policy: Policy, now: datetime, *, expire: bool = True) -> list[Change]:
    """The changes that time alone makes in the policy's brand, at most `SWEPT` of each kind.

    `expire` False leaves out what can't be undone by a clock that comes back.
    """
    return [*_woken(session, policy, now), *(_expired(session, policy, now) if expire else ())]


def _woken(session: Session, policy: Policy, now: datetime) -> list[Change]:
    asleep = session.execute(
        select(ItemRow.id, ItemRow.version)
        .where(
            ItemRow.brand == policy.brand,
            ItemRow.state == ItemState.SNOOZED,
            ItemRow.snoozed_until.is_not(None),
            ItemRow.snoozed_until <= now,
        )
        .order_by(ItemRow.snoozed_until, ItemRow.id)
        .limit(SWEPT)
    )
    return [
        Change(
            item_id=row.id,
            brand=policy.brand,
            actor=ACTOR,
            at=now,
            to=_before_sleep(session, row.id),
            kind=EventKind.ITEM_WOKEN,
            why={"reason": "its time has come"},
            columns={"snoozed_until": None, "state_reason": "its time has come"},
            expect=row.version,
        )
        for row in asleep
    ]


def _before_sleep(session: Session, item: int) -> ItemState:
    """Triage, when it was put aside there; else the queue."""
    events = session.execute(
        select(EventRow.before, EventRow.after)
        .where(EventRow.item_id == item)
        .order_by(EventRow.seq.desc())
    )
    for before, after in events:
        if (after or {}).get("state") == ItemState.SNOOZED:
            untriaged = (before or {}).get("state") == ItemState.NEW
            return ItemState.NEW if untriaged else ItemState.QUEUED
    return ItemState.QUEUED


def _expired(session: Session, policy: Policy, now: datetime) -> list[Change]:
    age = policy.presence.expire_after
    if age is None:
        return []
    old = session.execute(
        select(ItemRow.id, ItemRow.version)
        .where(
            ItemRow.brand == policy.brand,
            ItemRow.state.in_(WAITING),
            ItemRow.clock_started_at <= now - age,
        )
        .order_by(ItemRow.clock_started_at, ItemRow.id)
        .limit(SWEPT)
    )
    return [
        Change(
            item_id=row.id,
            brand=policy.brand,
            actor=ACTOR,
            at=now,
            to=ItemState.EXPIRED,
            why={"reason": f"nobody answered within {age}", "policy": policy.version},
            columns={"state_reason": "too old to answer"},
            expect=row.version,
        )
        for row in old
    ]
