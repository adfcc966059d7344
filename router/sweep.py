"""The shell that offers work, and takes back what nobody works on. Any number may run at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.db import Sessions
from earshot.domain import ItemState
from earshot.items import holding, lifecycle
from earshot.items.events import EventKind
from earshot.items.lifecycle import Change, Forbidden, Stale
from earshot.runtime.crash_points import passed
from earshot.runtime.metrics import Metrics
from router.assign.state import Escalate, Offer, State
from router.offers import claims, snapshot, timers
from router.policy.policy import Policy

THOROUGH_EVERY_S = 10.0
"""How often items are looked at although nobody is free to take one."""

SHARE = 4
"""After a tick sweep rests at least so many times as long as it read, whatever is queued."""


@dataclass(slots=True)
class TickReport:
    """What one tick did; `lost` counts what somebody else was faster at.

    `reading_s` is how long it took to read what waits.
    """

    timed_out: int = 0
    absent: int = 0
    woken: int = 0
    expired: int = 0
    offered: int = 0
    escalated: int = 0
    stranded: int = 0
    lost: int = 0
    reading_s: float = field(default=0.0, compare=False)


def tick(
    sessions: Sessions,
    policies: Mapping[str, Policy],
    now: datetime,
    *,
    thorough: bool = True,
    expire: bool = True,
    monotonic: Callable[[], float] = time.monotonic,
) -> TickReport:
    """Take back, wake, expire, then decide and offer, once for every brand.

    `thorough` also looks for items that nobody wants while nobody is free, and for those that
    nobody holds although their state says so. Without `expire` nothing does, however old it seems.
    """
    report = TickReport()
    for policy in policies.values():
        if thorough:
            _requeue_stranded(sessions, policy, now, report)
        _take_back(sessions, policy, now, report)
        _wake_and_expire(sessions, policy, now, report, expire=expire)
        began = monotonic()
        with db.readers_of(sessions)() as session:
            state, slots = snapshot.load(session, policy, now, thorough=thorough)
        report.reading_s += monotonic() - began
        _decide(sessions, policy, now, report, state, slots)
    return report


def _take_back(sessions: Sessions, policy: Policy, now: datetime, report: TickReport) -> None:
    with db.readers_of(sessions)() as session:
        found = claims.overdue(session, policy, now)
    for held in found:
        if _won(sessions, partial(claims.take_back, policy=policy, held=held, now=now), report):
            if held.reason == claims.TIMED_OUT:
                report.timed_out += 1
            else:
                report.absent += 1


def _requeue_stranded(
    sessions: Sessions, policy: Policy, now: datetime, report: TickReport
) -> None:
    with db.readers_of(sessions)() as session:
        changes = claims.stranded(session, policy, now)
        leftovers = holding.has_leftovers(session, policy.brand)
    for change in changes:
        report.stranded += _won(sessions, partial(lifecycle.move, change=change), report)
    if leftovers:
        with sessions.begin() as session:
            holding.end_leftovers(session, policy.brand, now)


def _wake_and_expire(
    sessions: Sessions, policy: Policy, now: datetime, report: TickReport, *, expire: bool
) -> None:
    with db.readers_of(sessions)() as session:
        changes = timers.due(session, policy, now, expire=expire)
    for change in changes:
        if _won(sessions, partial(lifecycle.move, change=change), report):
            if change.to is ItemState.EXPIRED:
                report.expired += 1
            else:
                report.woken += 1


def _decide(
    sessions: Sessions,
    policy: Policy,
    now: datetime,
    report: TickReport,
    state: State,
    slots: Mapping[int, int],
) -> None:
    for decision in policy.routing.decide(state, now):
        match decision:
            case Offer():
                claim = partial(
                    claims.claim,
                    policy=policy,
                    offer=decision,
                    slots=slots[decision.person_id],
                    now=now,
                )
                if _won(sessions, claim, report):
                    passed("offer.made")
                    report.offered += 1
            case Escalate():
                change = _to_triage(policy, decision, now)
                report.escalated += _won(sessions, partial(lifecycle.move, change=change), report)


def _to_triage(policy: Policy, escalate: Escalate, now: datetime) -> Change:
    return Change(
        item_id=escalate.item_id,
        brand=policy.brand,
        actor=claims.ACTOR,
        at=now,
        to=ItemState.NEW,
        kind=EventKind.ITEM_ESCALATED,
        why={"reason": escalate.reason, "policy": policy.version},
        # Offered afresh once a listener has sent it on.
        columns={"state_reason": escalate.reason, "offers": 0, "excluded": []},
        expect=escalate.version,
    )


def _won(sessions: Sessions, act: Callable[[Session], object], report: TickReport) -> bool:
    """Carry out `act` in a transaction of its own; False when somebody else was faster."""
    try:
        with sessions.begin() as session:
            act(session)
    except (Stale, Forbidden):
        report.lost += 1
        return False
    except OperationalError as error:
        if not db.in_the_way(error):
            raise
        report.lost += 1
        return False
    return True


def rest_s(every_s: float, reading_s: float) -> float:
    """How long to rest after a tick that read the queues for `reading_s` seconds. Pure.

    A queue of a hundred thousand of which nobody free may take anything is looked through in a
    fifth of a second: that must not take the core of those who work on it.
    """
    return max(every_s, SHARE * reading_s)


def run(
    sessions: Sessions,
    policies: Mapping[str, Policy],
    *,
    metrics: Metrics,
    clock: Callable[[], datetime],
    stop: threading.Event,
    every_s: float,
    step_done: Callable[[], None],
    doubts: Callable[[datetime], str] = lambda _: "",
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Tick every `every_s` seconds until `stop` is set, less often where reading takes long.

    While `doubts` says why the clock is not believed, nothing expires. Raises what the database
    raises: whoever supervises the role starts it again.
    """
    look_s = monotonic()
    while not stop.is_set():
        now, began = clock(), monotonic()
        thorough = began >= look_s
        look_s = began + THOROUGH_EVERY_S if thorough else look_s
        report = tick(
            sessions,
            policies,
            now,
            thorough=thorough,
            expire=not doubts(now),
            monotonic=monotonic,
        )
        metrics.add("offers_made", report.offered)
        metrics.add("offers_taken_back", report.timed_out + report.absent)
        metrics.observe("step_seconds", monotonic() - began)
        step_done()
        stop.wait(rest_s(every_s, report.reading_s))
