"""What a further mention changes of its item: reopened, or more urgent, and never less. Pure."""

from __future__ import annotations

from datetime import datetime

from earshot.domain import ItemFlag, ItemState
from router.intake import rows
from router.intake.rows import STATE, Row
from router.policy.policy import Do, Intake, Policy


def more_urgent(policy: Policy, intake: Intake, item: Row, asked: datetime) -> Row:
    """What is said at `asked` changes of an open item: it can only become more urgent.

    The first word of now in a thread of history is the first for which something is promised.
    """
    clock = min(item["clock_started_at"], asked)
    name = item["target"] or "first"
    columns: Row = {}
    wakes = bool(item["flags"] & ~intake.flags & ItemFlag.HISTORY)
    if wakes:
        columns = {"priority": intake.priority, "weight": intake.weight}
        columns |= rows.promise(policy, intake, _next_or_first(item), asked)
    elif intake.weight > item["weight"]:
        columns = {"priority": intake.priority, "weight": intake.weight}
        columns |= rows.promise(policy, intake, name, clock)
    elif clock < item["clock_started_at"]:
        columns = rows.promise(policy, intake, name, clock)
    if columns and item["due_at"] is not None:
        columns["due_at"] = min(columns["due_at"], item["due_at"])
    columns["flags"] = (item["flags"] | intake.flags) & ~ItemFlag.UNSURE
    if wakes:
        columns["flags"] &= ~ItemFlag.HISTORY
    if intake.do is Do.TRIAGE:
        columns["flags"] |= item["flags"] & ItemFlag.UNSURE
    return columns


def reopened(policy: Policy, intake: Intake, item: Row, start: datetime) -> Row:
    """The columns of an item that had come to an end and waits for an answer again.

    A thread that was never answered waits for its first answer, others for the next one.
    """
    return {
        "state_reason": intake.reason,
        **rows.routed(policy, intake),
        **rows.promise(policy, intake, _next_or_first(item), start),
        "assignee_id": None,
        "excluded": [],
        "offers": 0,
        "snoozed_until": None,
        "reopened": item["reopened"] + came_back(intake, item),
    }


def came_back(intake: Intake, item: Row) -> bool:
    """Whether somebody wrote again: further history of a thread is no return of its author."""
    return bool(item["mentions"]) and not intake.flags & ItemFlag.HISTORY


def _next_or_first(item: Row) -> str:
    return "next" if item["answered_at"] else "first"


def raised(state: ItemState, intake: Intake) -> ItemState:
    """The state of an open item after a mention that wants an answer, or may want one."""
    if state is ItemState.SNOOZED or (state is ItemState.NEW and intake.do is Do.QUEUE):
        return STATE[intake.do]
    return state
