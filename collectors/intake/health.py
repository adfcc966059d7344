"""How a source fares, and whether it must wait for the log: pure decisions.

When the log is away and the disk fills, what keeps history pauses first, as it can be read
later. What does not goes on until the spool is full; then it pauses too, and what its platform
says meanwhile is lost to us.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from collectors.contract.source import Cursor, PlatformError
from earshot.log.spool.spooling import Backlog

HISTORY_SHARE = 0.5
"""The share of the spool from which on sources that keep history pause."""

HEALTH_EVERY_S = 10.0
"""How often an idle source says that it is well."""

LOOK_AGAIN = timedelta(seconds=1)
"""How soon a paused source asks again whether there is room."""


def is_paused(backlog: Backlog | None, *, keeps_history: bool) -> bool:
    """Whether a source must wait for the log: none does while `backlog` is None."""
    return backlog is not None and backlog.share >= (HISTORY_SHARE if keeps_history else 1.0)


def in_words(backlog: Backlog, *, paused: bool) -> str:
    """How a source fares while what it gave waits on this machine, for people."""
    waits = f"{backlog.messages} records wait on this machine's disk ({backlog.share:.0%} of it)"
    what = f"not read until there is room again: {waits}" if paused else waits
    return f"{what}; the log takes none now{': ' if backlog.reason else ''}{backlog.reason}"


def failure_of(error: Exception) -> PlatformError:
    """What a source raised, as its failure: most of all an answer that it did not foresee.

    Such an error's own words are left out, as they may be people's.
    """
    if isinstance(error, PlatformError):
        return error
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    place = f"{Path(frame.f_code.co_filename).name}:{line}"
    return PlatformError(
        f"an answer of the platform can't be handled ({type(error).__name__} at {place}): "
        "please report it as a fault of Earshot"
    )


@dataclass
class PartState:
    """Where one part is in this process. `cursor` is loaded before the first poll.

    The next poll is at `due_at` for people, in UTC; what counts is `due_s`, in seconds of the
    monotonic clock, for the other may be set while the part rests.
    """

    cursor: Cursor | None = None
    loaded: bool = False
    due_at: datetime | None = None
    due_s: float = 0.0
    failures: int = 0
    failing_since: datetime | None = None
    trouble: str = ""
    permanent: bool = False


def polled(cursor: Cursor, rest: float, at: datetime, now_s: float) -> PartState:
    """A part that was polled well at `at`, which is `now_s` of the monotonic clock."""
    due_at = at + timedelta(seconds=rest)
    return PartState(cursor=cursor, loaded=True, due_at=due_at, due_s=now_s + rest)


def rest_s(parts: Iterable[PartState], now_s: float, *, paused: bool = False) -> float:
    """How many seconds from `now_s`, of the monotonic clock, until one of the parts is due."""
    if paused:
        return LOOK_AGAIN.total_seconds()
    return max(0.0, min(state.due_s if state.due_at else 0.0 for state in parts) - now_s)


def health_of(
    parts: Mapping[str, PartState], backlog: Backlog | None, now: datetime, poll_every_s: float
) -> dict[str, Any]:
    """The columns that say how a source fares: as its worst part does, or as the log lets it."""
    ill = [state for state in parts.values() if state.failures]
    worst = max(ill, key=lambda state: state.permanent, default=PartState())
    if ill:
        state, error = ("stopped" if worst.permanent else "failing"), worst.trouble
    elif backlog is not None and backlog.messages:
        state, error = "delayed", in_words(backlog, paused=False)
    else:
        state, error = "ok", ""
    return {
        "state": state,
        "error": error,
        "failing_since": min((state.failing_since or now for state in ill), default=None),
        "polled_at": now,
        "next_poll_at": worst.due_at or now + timedelta(seconds=poll_every_s),
    }
