"""A thread that was not known becomes an item: whose it is, and what is promised. Pure.

A post counts from when it arrived: what its author dates back has no older promise. What is
older than its source's first connection takes as work is history: kept, and promised nothing.
Only the collector knows what a first connection is, so the mention says it. The policy still
decides what is dismissed; what it would queue goes to a listener, who may send it on.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from earshot.database.tables import SLOT_S
from earshot.domain import ItemFlag, ItemState, Op
from earshot.items.events import EventKind
from earshot.time import hours
from router.intake.item import (
    DecisionReasons,
    Effect,
    Heard,
    Item,
    Labels,
    Promise,
    Reason,
    Routing,
    Shown,
)
from router.policy.policy import Do, Intake, Policy, decide_intake

DELETED_UNREAD = "deleted before it was read"
OWN = "posted by the brand itself"
OLD = "posted before this source was connected; no target"

PREVIEW_LIMIT = 500
"""The longest preview, in characters."""

STATE = {Do.DISMISS: ItemState.DISMISSED, Do.TRIAGE: ItemState.NEW, Do.QUEUE: ItemState.QUEUED}


def opened(heard: Heard, policy: Policy, now: datetime, number: int) -> Effect:
    """The item `number` of a thread of which `heard` is the first.

    A post of the brand's own account, and one that is deleted already, ask nothing of anybody.
    """
    intake = decide(policy, heard)
    state, state_reason = STATE[intake.do], intake.reason
    why: DecisionReasons | Reason = decision_reasons(policy, intake, heard)
    if heard.own or heard.mention.op == Op.DELETE:
        state, state_reason = ItemState.DISMISSED, OWN if heard.own else DELETED_UNREAD
        why = Reason(state_reason, heard.id)
    item = Item(
        id=number,
        brand=heard.mention.brand,
        thread=heard.thread,
        platform=heard.mention.platform,
        state=state,
        state_reason=state_reason,
        version=1,
        mentions=0 if heard.own else 1,
        shown=shown(heard),
        labels=labels(heard, intake),
        routing=routing(policy, intake),
        promise=promise(policy, intake, "first", heard.arrived_at),
        answered_at=None,
        assignee_id=None,
        excluded=[],
        offers=0,
        snoozed_until=None,
        reopened=0,
        created_at=now,
        changed_at=now,
        newest_at=heard.arrived_at,
    )
    return Effect(item=item, kind=EventKind.MENTION_NEW, why=why)


def decide(policy: Policy, heard: Heard, *, reopened: bool = False) -> Intake:
    """What becomes of a mention by the policy, and of history: never more than triage."""
    intake = decide_intake(policy, heard.classified, reopened=reopened)
    if not heard.mention.history:
        return intake
    flags = intake.flags | ItemFlag.HISTORY
    if intake.do is Do.QUEUE:
        return msgspec.structs.replace(intake, do=Do.TRIAGE, reason=OLD, flags=flags)
    return msgspec.structs.replace(intake, flags=flags)


def promise(policy: Policy, intake: Intake, name: str, start: datetime) -> Promise:
    """A clock that starts at `start` (UTC) with the target called `name`.

    For history nothing is promised: it has a time, and no target. Raises OverflowError and
    ValueError as `earshot.time.hours.add`, for a start that no due time can be found for.
    """
    slot = int(start.timestamp()) // SLOT_S
    if intake.flags & ItemFlag.HISTORY:
        return Promise(start, slot, "", 0, "", None)
    target = intake.next if name == "next" else intake.first
    due_at = hours.add(policy.calendars[target.calendar], start, target.within)
    seconds = int(target.within.total_seconds())
    return Promise(start, slot, target.name, seconds, target.calendar, due_at)


def routing(policy: Policy, intake: Intake) -> Routing:
    """Who should answer, by the policy's decision."""
    return Routing(
        intake.priority,
        intake.weight,
        intake.team,
        f"teams.{intake.team}",
        policy.version,
        intake.flags,
    )


def labels(heard: Heard, intake: Intake) -> Labels:
    """What the classifier said, with the confidence of the labels that decided."""
    said = heard.said
    topic = said.topics[0] if said.topics else None
    return Labels(
        said.lang.value,
        topic.value if topic else "",
        topic.confidence if topic else 1.0,
        said.sentiment.value,
        said.intent.value,
        said.urgency.value,
        intake.confidence,
    )


def shown(heard: Heard) -> Shown:
    """The mention as lists show it; a deletion has no words."""
    mention, author = heard.mention, heard.mention.author
    preview = ""
    if mention.op != Op.DELETE:
        preview = " ".join(mention.text[: 2 * PREVIEW_LIMIT].split())[:PREVIEW_LIMIT]
    return Shown(
        mention.source,
        heard.id,
        author.id,
        author.name,
        author.handle,
        author.reach,
        preview,
    )


def decision_reasons(policy: Policy, intake: Intake, heard: Heard) -> DecisionReasons:
    """Why the policy's decision is what it is, for the event that reports it."""
    return DecisionReasons(
        intake.rule,
        intake.reason,
        intake.priority,
        intake.team,
        intake.facts,
        heard.id,
        policy.version,
        heard.said.model,
    )
