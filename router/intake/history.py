"""What is older than its source's first connection takes as work: kept, and promised nothing. Pure.

Only the collector knows what a first connection is, so the mention says it. The policy still
decides what is dismissed; what it would queue goes to a listener, who may send it on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from earshot.domain import Classified, ItemFlag, ItemState
from earshot.items.lifecycle import OPEN
from router.policy.policy import Do, Intake, Policy, decide_intake

OLD = "posted before this source was connected; no target"


def decide(policy: Policy, classified: Classified, *, reopened: bool = False) -> Intake:
    """What becomes of a mention by the policy, and of history: never more than triage."""
    intake = decide_intake(policy, classified, reopened=reopened)
    if not classified.mention.history:
        return intake
    flags = intake.flags | ItemFlag.HISTORY
    if intake.do is Do.QUEUE:
        return msgspec.structs.replace(intake, do=Do.TRIAGE, reason=OLD, flags=flags)
    return msgspec.structs.replace(intake, flags=flags)


def changes_nothing(intake: Intake, item: Mapping[str, Any], *, newest: bool) -> bool:
    """Whether a further mention is history that asks nothing of anybody.

    It is in a thread of now, whose clock and state are not touched by what is older, or in one
    that has ended. `newest` says that nothing in the thread is newer: an older post of a thread
    that began with our own was answered by that.
    """
    if not intake.flags & ItemFlag.HISTORY:
        return False
    if not item["flags"] & ItemFlag.HISTORY:
        return True
    state = ItemState(item["state"])
    unread = state is ItemState.DISMISSED and (item["mentions"] > 0 or newest)
    return state not in OPEN and not unread
