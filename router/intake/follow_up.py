"""What a further mention or an edit changes of its item. Pure.

* It reopens an item that had come to an end, if the policy wants an answer to it.
* In an open item the clock stays with the oldest unanswered post, and priority only rises.
* History changes nothing of an item that is of now.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from earshot.domain import ItemFlag, ItemState
from earshot.items.events import EventKind
from earshot.items.lifecycle import OPEN
from router.intake.item import Effect, Heard, Item
from router.intake.opening import (
    STATE,
    decide,
    decision_reasons,
    labels,
    promise,
    routing,
    shown,
)
from router.policy.policy import Do, Intake, Policy


def followed_up(item: Item, heard: Heard, policy: Policy) -> Effect:
    """A further post in the thread of `item` by somebody else than the brand."""
    is_open, arrived = item.state in OPEN, heard.arrived_at
    intake = decide(policy, heard, reopened=not is_open)
    newest = arrived >= item.newest_at
    after = replace(item, mentions=item.mentions + 1, version=item.version + 1)
    if newest:
        after = replace(after, labels=labels(heard, intake), shown=shown(heard), newest_at=arrived)
    kind = EventKind.MENTION_NEW
    if _is_idle(intake, item, newest=newest):
        pass
    elif is_open:
        after = more_urgent(policy, intake, after, arrived)
        to = raised(item.state, intake)
        if to is not item.state:
            after = replace(after, state=to, snoozed_until=None, state_reason=intake.reason)
    else:
        returned = came_back(intake, item)
        kind = EventKind.ITEM_REOPENED if returned else kind
        after = reopened(policy, intake, after, arrived, returned=returned)
    return Effect(item=after, kind=kind, why=decision_reasons(policy, intake, heard))


def revised(item: Item, heard: Heard, policy: Policy) -> Effect:
    """An edit of a mention of `item`: only that of its newest can change what is to be done."""
    if item.shown.mention_id != heard.id or heard.own:
        return Effect(item=item, kind=EventKind.MENTION_EDITED)
    is_open = item.state in OPEN
    intake = decide(policy, heard, reopened=not is_open)
    after = replace(
        item, labels=labels(heard, intake), shown=shown(heard), version=item.version + 1
    )
    # Where the platform does not say when it took the edit in, we can only say when we did.
    edited = heard.mention.edited_at or heard.mention.collected_at
    if _is_idle(intake, item, newest=True):
        pass
    elif is_open:
        of_history = item.routing.flags & ItemFlag.HISTORY
        asked = edited if of_history else item.promise.clock_started_at
        after = more_urgent(policy, intake, after, asked)
        after = replace(after, state=raised(item.state, intake))
    elif item.state is ItemState.DISMISSED:
        # What was dismissed unread says something else now. It was asked with the edit.
        after = reopened(policy, intake, after, edited, returned=came_back(intake, item))
    return Effect(
        item=after, kind=EventKind.MENTION_EDITED, why=decision_reasons(policy, intake, heard)
    )


def more_urgent(policy: Policy, intake: Intake, item: Item, asked: datetime) -> Item:
    """An open item after what is said at `asked` (UTC): it can only become more urgent.

    The first word of now in a thread of history is the first for which something is promised.
    """
    was, kept = item.routing, item.promise
    clock = min(kept.clock_started_at, asked)
    wakes = bool(was.flags & ~intake.flags & ItemFlag.HISTORY)
    heavier = wakes or intake.weight > was.weight
    given = kept
    if wakes:
        given = promise(policy, intake, _next_or_first(item), asked)
    elif heavier or clock < kept.clock_started_at:
        given = promise(policy, intake, kept.target or "first", clock)
    if given is not kept and given.due_at and kept.due_at:
        given = replace(given, due_at=min(given.due_at, kept.due_at))
    flags = (was.flags | intake.flags) & ~ItemFlag.UNSURE
    if wakes:
        flags &= ~ItemFlag.HISTORY
    if intake.do is Do.TRIAGE:
        flags |= was.flags & ItemFlag.UNSURE
    now = was if flags == was.flags else replace(was, flags=flags)
    if heavier:
        now = replace(now, priority=intake.priority, weight=intake.weight)
    return replace(item, routing=now, promise=given)


def reopened(
    policy: Policy, intake: Intake, item: Item, start: datetime, *, returned: bool
) -> Item:
    """An item that had come to an end and waits for an answer again, since `start` (UTC).

    A thread that was never answered waits for its first answer, others for the next one.
    """
    return replace(
        item,
        state=STATE[intake.do],
        state_reason=intake.reason,
        routing=routing(policy, intake),
        promise=promise(policy, intake, _next_or_first(item), start),
        assignee_id=None,
        excluded=[],
        offers=0,
        snoozed_until=None,
        reopened=item.reopened + returned,
    )


def came_back(intake: Intake, item: Item) -> bool:
    """Whether somebody wrote again: further history of a thread is no return of its author."""
    return bool(item.mentions) and not intake.flags & ItemFlag.HISTORY


def raised(state: ItemState, intake: Intake) -> ItemState:
    """The state of an open item after a mention that wants an answer, or may want one."""
    if state is ItemState.SNOOZED or (state is ItemState.NEW and intake.do is Do.QUEUE):
        return STATE[intake.do]
    return state


def _next_or_first(item: Item) -> str:
    return "next" if item.answered_at else "first"


def _is_idle(intake: Intake, item: Item, *, newest: bool) -> bool:
    """Whether a mention asks nothing of anybody: dismissed by the policy, or settled history.

    History is settled in a thread of now, whose clock and state are not touched by what is
    older, and in one that has ended. `newest` says that nothing in the thread is newer: an
    older post of a thread that began with our own was answered by that.
    """
    if intake.do is Do.DISMISS:
        return True
    if not intake.flags & ItemFlag.HISTORY:
        return False
    if not item.routing.flags & ItemFlag.HISTORY:
        return True
    unread = item.state is ItemState.DISMISSED and (item.mentions > 0 or newest)
    return item.state not in OPEN and not unread
