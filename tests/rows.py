"""Rows for tests: each has a default for everything, so that a test names what matters."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import ItemRow, MentionRow, PersonRow, ReplyRow, Table
from earshot.domain import ItemState, ReplyState
from earshot.items.lifecycle import backlog_deltas, slot_of
from earshot.items.rollups import count_backlog
from tests.builders import NOON, a_classification


def database(url: str = "sqlite://") -> Engine:
    """A database with the whole schema; without an address one in memory."""
    engine = db.connect(url)
    if url.startswith("sqlite:///"):  # what is tested is never a power cut
        event.listen(engine, "connect", lambda raw, _: raw.execute("pragma synchronous=off"))
    Table.metadata.create_all(engine)
    return engine


def item_id(brand: str, thread_id: str) -> int:
    """A number for the item of a thread, the same each time it is asked for."""
    digest = blake2b(f"{brand}\0{thread_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def a_person(id: int = 1, **changes: Any) -> PersonRow:
    columns = {"id": id, "email": f"p{id}@example.org", "name": f"Person {id}", "created_at": NOON}
    return PersonRow(**columns | changes)


def an_item(thread: str = "simulator:1", brand: str = "acme", **changes: Any) -> ItemRow:
    columns = {
        "id": item_id(brand, thread),
        "brand": brand,
        "thread": thread,
        "state": ItemState.NEW,
        "platform": "simulator",
        "source": "sim",
        "mention_id": thread,
        "author_id": "u1",
        "author_name": "Ana Perez",
        "author_handle": "ana",
        "reach": 120,
        "lang": "en",
        "topic": "checkout",
        "topic_confidence": 0.8,
        "sentiment": "negative",
        "intent": "complaint",
        "urgency": "normal",
        "confidence": 0.8,
        "preview": "Acme checkout keeps failing",
        "team": "",
        "flags": 0,
        "slot": slot_of(changes.get("clock_started_at", NOON)),
        "clock_started_at": NOON,
        "created_at": NOON,
        "changed_at": NOON,
    }
    return ItemRow(**columns | changes)


def add_item(session: Session, item: ItemRow) -> ItemRow:
    """Store an item together with its count in the backlog, as the router does."""
    session.add(item)
    session.flush()
    after = {name: getattr(item, name) for name in ("state", "team", "sentiment", "flags", "slot")}
    count_backlog(session, backlog_deltas(item.brand, None, after))
    return item


def a_mention_row(native_id: str = "1", brand: str = "acme", **changes: Any) -> MentionRow:
    columns = {
        "brand": brand,
        "id": f"simulator:{native_id}",
        "item_id": item_id(brand, f"simulator:{changes.get('thread', native_id)}"),
        "source": "sim",
        "platform": "simulator",
        "native_id": native_id,
        "thread": native_id,
        "parent": "",
        "author_id": "u1",
        "author_name": "Ana Perez",
        "author_handle": "ana",
        "author_reach": 120,
        "text": "Acme checkout keeps failing",
        "url": "",
        "published_at": NOON,
        "collected_at": NOON,
        "stored_at": NOON,
        "revision": 0,
        "deleted": False,
        "queries": ["name"],
        "can_reply": True,
        "reply_bar": "",
        "address": {},
        "classification": msgspec.to_builtins(a_classification()),
        "model": "test-1",
    }
    return MentionRow(**columns | changes)


def a_reply(
    id: int | None = 1, native_id: str = "1", brand: str = "acme", **changes: Any
) -> ReplyRow:
    """A reply to the mention `native_id`, which began its own thread.

    Without an `id` the database gives it one.
    """
    columns: dict[str, Any] = {
        "id": id,
        "brand": brand,
        "item_id": item_id(brand, f"simulator:{native_id}"),
        "mention_id": f"simulator:{native_id}",
        "mention_revision": 0,
        "source": "sim",
        "platform": "simulator",
        "parent": native_id,
        "thread": native_id,
        "address": {},
        "person_id": 1,
        "text": f"Sorry about that, number {id}! We are on it.",
        "state": ReplyState.QUEUED,
        "key": f"key-{id}",
        "created_at": NOON,
        "queued_at": NOON,
        "changed_at": NOON,
    }
    return ReplyRow(**columns | changes)
