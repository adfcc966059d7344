"""Rows made of a classified mention: the mention, its item, its events. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from earshot.domain import Classified, ItemFlag, ItemState
from earshot.items.events import EventKind
from earshot.items.lifecycle import slot_of
from router.policy.policy import Do, Intake, Policy

ACTOR = "role:route"

PREVIEW_LIMIT = 500
"""The longest preview, in characters."""

STATE = {Do.DISMISS: ItemState.DISMISSED, Do.TRIAGE: ItemState.NEW, Do.QUEUE: ItemState.QUEUED}

Row = dict[str, Any]


def mention_row(classified: Classified, item: int, now: datetime) -> Row:
    """The row of a mention that was not stored before; a deletion has no words."""
    mention = classified.mention
    return {
        "brand": mention.brand,
        "id": mention.id,
        "item_id": item,
        "source": mention.source,
        "platform": mention.platform,
        "native_id": mention.native_id,
        "thread": mention.thread,
        "parent": mention.parent,
        "published_at": mention.published_at,
        "received_at": mention.received_at,
        "stored_at": now,
        **newest_revision(classified),
    }


def newest_revision(classified: Classified) -> Row:
    """The columns of a mention that each revision sets anew."""
    mention, author = classified.mention, classified.mention.author
    deleted = mention.op == "delete"
    return {
        "author_id": author.id,
        "author_name": author.name,
        "author_handle": author.handle,
        "author_reach": author.reach,
        "text": "" if deleted else mention.text,
        "url": mention.url,
        "collected_at": mention.collected_at,
        "revision": mention.revision,
        "deleted": deleted,
        "queries": mention.queries,
        "can_reply": mention.can_reply,
        "reply_bar": mention.reply_bar,
        "address": mention.address,
        "classification": classified.classification,
        "model": classified.classification.model,
    }


def revision_row(classified: Classified, now: datetime, *, gone: bool) -> Row:
    """The history's row of a change; without words once the mention is `gone`."""
    mention = classified.mention
    return {
        "brand": mention.brand,
        "mention_id": mention.id,
        "revision": mention.revision,
        "op": str(mention.op),
        "text": "" if gone or mention.op == "delete" else mention.text,
        "collected_at": mention.collected_at,
        "stored_at": now,
    }


def snapshot(classified: Classified) -> Row:
    """What an item repeats of its newest mention and events must not repeat: people's words."""
    mention, author = classified.mention, classified.mention.author
    return {
        "mention_id": mention.id,
        "source": mention.source,
        "author_id": author.id,
        "author_name": author.name,
        "author_handle": author.handle,
        "reach": author.reach,
        "preview": _preview(classified),
    }


def labels(classified: Classified, intake: Intake) -> Row:
    """What an item repeats of its newest mention's classification."""
    said = classified.classification
    topic = said.topics[0] if said.topics else None
    return {
        "lang": said.lang.value,
        "topic": topic.value if topic else "",
        "topic_confidence": topic.confidence if topic else 1.0,
        "sentiment": said.sentiment.value,
        "intent": said.intent.value,
        "urgency": said.urgency.value,
        "confidence": intake.confidence,
    }


def promise(policy: Policy, intake: Intake, name: str, start: datetime) -> Row:
    """The columns of a clock that starts at `start` with the target called `name`.

    For history nothing is promised: it has a time, and no target.
    """
    if intake.flags & ItemFlag.HISTORY:
        return {
            "clock_started_at": start,
            "slot": slot_of(start),
            "target": "",
            "target_s": 0,
            "calendar": "",
            "due_at": None,
        }
    target = intake.target(name)
    return {
        "clock_started_at": start,
        "slot": slot_of(start),
        "target": target.name,
        "target_s": int(target.within.total_seconds()),
        "calendar": target.calendar,
        "due_at": policy.due(target, start),
    }


def routed(policy: Policy, intake: Intake) -> Row:
    """The columns that say who should answer, and how soon compared with others."""
    return {
        "priority": intake.priority,
        "weight": intake.weight,
        "team": intake.team,
        "rule": f"teams.{intake.team}",
        "policy_version": policy.version,
        "flags": intake.flags,
    }


def item_row(
    number: int,
    policy: Policy,
    intake: Intake,
    classified: Classified,
    now: datetime,
    end: str,
) -> Row:
    """The item of a thread that was not known. `end` gives a reason to dismiss it at once."""
    mention = classified.mention
    state = ItemState.DISMISSED if end else STATE[intake.do]
    return {
        "id": number,
        "brand": mention.brand,
        "thread": mention.thread_id,
        "state": state.value,
        "state_reason": end or intake.reason,
        "version": 1,
        "platform": mention.platform,
        **snapshot(classified),
        **labels(classified, intake),
        "mentions": 0 if classified.mention.own else 1,
        **routed(policy, intake),
        **promise(policy, intake, "first", mention.arrived_at),
        "answered_at": None,
        "assignee_id": None,
        "excluded": [],
        "offers": 0,
        "snoozed_until": None,
        "reopened": 0,
        "created_at": now,
        "changed_at": now,
    }


def event_row(
    item: Mapping[str, Any],
    now: datetime,
    kind: EventKind,
    subject: str,
    *,
    after: Row,
    before: Row | None = None,
    why: Row | None = None,
) -> Row:
    return {
        "brand": item["brand"],
        "at": now,
        "actor": ACTOR,
        "kind": kind,
        "item_id": item["id"],
        "subject": subject,
        "before": before,
        "after": after,
        "why": why,
    }


def grounds(policy: Policy, intake: Intake, classified: Classified) -> Row:
    """Why a mention was treated as it was: the rule, what it read, and by which version."""
    return {
        "rule": intake.rule,
        "reason": intake.reason,
        "priority": intake.priority,
        "team": intake.team,
        "read": intake.facts,
        "mention": classified.mention.id,
        "policy": policy.version,
        "model": classified.classification.model,
    }


def _preview(classified: Classified) -> str:
    if classified.mention.op == "delete":
        return ""
    return " ".join(classified.mention.text[: 2 * PREVIEW_LIMIT].split())[:PREVIEW_LIMIT]
