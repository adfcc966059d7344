"""Programs that run on the code of release 0.1.0, under whose names for things they are written."""

from __future__ import annotations

WORK = """
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from dashboard import drafts, people
from dashboard.crew import _viewer
from dashboard.replies import Queued, Written, queue_reply
from dashboard.verdicts import Snooze, ToTeam, decide
from earshot import assignments, db, lifecycle
from earshot.connect import open_database
from earshot.domain import ItemState
from earshot.settings import load
from earshot.tables import ItemRow, MembershipRow, MentionRow, PersonRow

sessions = db.open_sessions(open_database(load(Path(os.environ["EARSHOT_CONFIG"]), os.environ)))
now = datetime.now(UTC)


def colleague(session, email):
    person = session.scalars(select(PersonRow).where(PersonRow.email == email)).one()
    return _viewer(person, session.get(MembershipRow, ("acme", person.id)))


with sessions.begin() as session:
    for email in ("ada@acme.example", "bob@acme.example"):
        who = colleague(session, email)
        people.set_password(session, who.person_id, sys.argv[1])
    bob, ana, lis = (colleague(session, f"{n}@acme.example") for n in ("bob", "ana", "lis"))

with sessions.begin() as session:
    items = session.scalars(
        select(ItemRow.id)
        .join(MentionRow, (MentionRow.id == ItemRow.mention_id) & (MentionRow.brand == "acme"))
        .where(ItemRow.state == "queued", MentionRow.can_reply, ~MentionRow.deleted)
        .order_by(ItemRow.id)
        .limit(18)
    ).all()
assert len(items) == 18, items

for place, item_id in enumerate(items[:14]):
    who = bob if place % 2 else ana
    with sessions.begin() as session:
        item = session.get_one(ItemRow, item_id)
        mention = session.get_one(MentionRow, ("acme", item.mention_id))
        assignments.give(
            session, "acme", item_id, who.person_id, lis.actor, now, expect=None, why={}
        )
        if place in (12, 13):
            drafts.save(session, who, item_id, f"We look into it, number {place}", now)
            continue
        written = Written(
            item_id=item_id,
            text=f"Thank you for telling us, we look into it now. Number {place}.",
            nonce=f"of 0.1.0, number {place}",
            then=ItemState.ANSWERED if place % 3 else ItemState.CLOSED,
            mention_id=mention.id,
            mention_revision=mention.revision,
        )
        outcome = queue_reply(session, who, written, now=now, undo_s=90 if place > 9 else 0)
        assert isinstance(outcome, Queued), outcome

verdicts = (Snooze(now + timedelta(days=36_500)), Snooze(now), ToTeam("tech"))
for item_id, verdict in zip(items[14:17], verdicts, strict=True):
    with sessions.begin() as session:
        decide(session, lis, item_id, session.get_one(ItemRow, item_id).version, verdict, now)
with sessions.begin() as session:
    change = lifecycle.Change(
        item_id=items[17],
        brand="acme",
        actor=lis.actor,
        at=now,
        to=ItemState.DISMISSED,
        why={"verdict": "not_us"},
        columns={"state_reason": "not us"},
    )
    lifecycle.move(session, change)
"""
"""People sign in, hold items, write drafts and replies, and decide."""

POISON = """
import os
import sys
from pathlib import Path

from earshot.connect import open_log
from earshot.settings import load

log = open_log(load(Path(os.environ["EARSHOT_CONFIG"]), os.environ), "collect")
producer = log.producer()
for name in sys.argv[1:]:
    producer.send(name, b"poison", b"\\xff no JSON of " + name.encode())
producer.flush()
producer.close()
log.close()
"""
"""Records that no stage can read."""

TRUTH = """
import json
import os
from pathlib import Path

from sqlalchemy import func, select

from earshot import db
from earshot.connect import open_database
from earshot.settings import load
from earshot.tables import (
    AssignmentRow, DeadLetterRow, DraftRow, ItemRow, MentionRow, PersonRow,
    ReceiptRow, ReplyRow, Table,
)

engine = open_database(load(Path(os.environ["EARSHOT_CONFIG"]), os.environ))
with db.open_readers(engine).begin() as session:
    rows = lambda *columns: [list(map(str, row)) for row in session.execute(select(*columns))]
    truth = {
        "counts": {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Table.metadata.sorted_tables
        },
        "mentions": rows(MentionRow.id, MentionRow.text),
        "receipts": rows(ReceiptRow.mention_id, ReceiptRow.revision),
        "items": rows(ItemRow.id, ItemRow.state),
        "assignments": rows(AssignmentRow.id, AssignmentRow.item_id, AssignmentRow.state),
        "replies": rows(ReplyRow.key, ReplyRow.text, ReplyRow.state),
        "drafts": rows(DraftRow.item_id, DraftRow.person_id, DraftRow.text),
        "people": rows(PersonRow.email, PersonRow.name, PersonRow.password_hash),
        "dead": rows(DeadLetterRow.topic, DeadLetterRow.partition, DeadLetterRow.offset),
    }
print(json.dumps(truth))
"""
"""What must still be there afterwards, as JSON on standard output."""
