"""Rows for the desk's tests, as the router would have written them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.orm import Session

from earshot.database.tables import AssignmentRow, ItemRow, MentionRow, ReplyRow, SourceHealthRow
from earshot.domain import ItemState, ReplyState
from earshot.items import lifecycle, reply_length, rollups
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import slot_of
from earshot.items.reply_length import ReplyLength
from tests.builders import NOON, a_classification
from tests.rows import item_id


def add_item(session: Session, number: int, *, brand: str = "acme", **changes: Any) -> int:
    """An item with one mention and its event, counted in the backlog; its id.

    `text`, `url`, `can_reply`, `reply_bar`, `deleted` and `revision` are those of the mention;
    everything else is a column of the item.
    """
    mention = {
        "text": f"Acme checkout keeps failing, number {number}",
        "url": f"https://example.org/{number}",
        "can_reply": True,
        "reply_bar": "",
        "deleted": False,
        "revision": 0,
    }
    mention |= {name: changes.pop(name) for name in list(mention) if name in changes}
    started: datetime = changes.get("clock_started_at", NOON - timedelta(minutes=number))
    item = item_id(brand, f"simulator:{number}")
    row: dict[str, Any] = {
        "id": item,
        "brand": brand,
        "thread": f"simulator:{number}",
        "state": ItemState.NEW,
        "platform": "simulator",
        "source": "sim",
        "mention_id": f"simulator:{number}",
        "author_id": f"u{number}",
        "author_name": f"Author {number}",
        "author_handle": f"author{number}",
        "reach": 120,
        "lang": "en",
        "topic": "checkout",
        "topic_confidence": 0.8,
        "sentiment": "negative",
        "intent": "complaint",
        "urgency": "normal",
        "confidence": 0.8,
        "preview": str(mention["text"])[:500],
        "clock_started_at": started,
        "slot": slot_of(started),
        "target": "first",
        "target_s": 3600,
        "due_at": started + timedelta(hours=1),
        "created_at": started,
        "changed_at": started,
        **changes,
    }
    session.execute(insert(ItemRow).values(row))
    session.execute(insert(MentionRow).values(_mention_of(row, mention)))
    rollups.count_backlog(
        session, lifecycle.backlog_deltas(brand, None, {"flags": 0, "team": "", **row})
    )
    event = {"item_id": item, "subject": row["mention_id"], "after": {"state": row["state"]}}
    lifecycle.record(session, brand, started, "role:route", EventKind.MENTION_NEW, [event])
    if row.get("assignee_id") is not None and ItemState(row["state"]) in HELD:
        add_assignment(session, item, row["assignee_id"], brand=brand)
    return item


def _mention_of(row: dict[str, Any], mention: dict[str, Any]) -> dict[str, Any]:
    number = row["mention_id"].removeprefix("simulator:")
    same = ("brand", "source", "platform", "author_id", "author_name", "author_handle")
    return {
        **{name: row[name] for name in same},
        **mention,
        "id": row["mention_id"],
        "item_id": row["id"],
        "native_id": number,
        "thread": number,
        "parent": "",
        "author_reach": row["reach"],
        "published_at": row["clock_started_at"],
        "collected_at": row["clock_started_at"],
        "stored_at": row["clock_started_at"],
        "queries": ["name"],
        "address": {"post": number},
        "classification": msgspec.to_builtins(a_classification()),
        "model": "test-1",
    }


def add_assignment(
    session: Session, item: int, person: int, *, brand: str = "acme", state: str = "accepted"
) -> None:
    session.execute(
        insert(AssignmentRow).values(
            brand=brand,
            item_id=item,
            person_id=person,
            state=state,
            made_at=NOON,
            policy_version="p1",
            explain={
                "method": "greedy",
                "winner": {"person": person, "index": 0.4, "weight": 2.0, "fit": 1.0, "minutes": 5},
                "runner_up": None,
                "not_considered": {str(person): "off duty"},
                "teams": ["payments"],
            },
        )
    )


def set_reply_length(session: Session, length: ReplyLength, source: str = "sim") -> None:
    """What the source's collector wrote of how long a reply may be there."""
    row = {
        "brand": "acme",
        "source": source,
        "platform": "simulator",
        "state": "ok",
        "reply_length": reply_length.stored(length),
    }
    session.execute(insert(SourceHealthRow).values(row))


def add_reply(session: Session, item: int, person: int, **changes: Any) -> int:
    """A reply to the item's mention, confirmed unless told otherwise; its id."""
    number = changes.pop("number", "1")
    row = {
        "brand": "acme",
        "item_id": item,
        "mention_id": f"simulator:{number}",
        "mention_revision": 0,
        "source": "sim",
        "platform": "simulator",
        "parent": number,
        "thread": number,
        "address": {},
        "person_id": person,
        "text": "It works again, sorry!",
        "state": ReplyState.CONFIRMED,
        "key": f"{item:032x}"[-32:],
        "created_at": NOON,
        "confirmed_at": NOON,
        "changed_at": NOON,
        **changes,
    }
    return int(session.execute(insert(ReplyRow).values(row).returning(ReplyRow.id)).scalar_one())
