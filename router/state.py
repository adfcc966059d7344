"""What a routing decision is made on, and what it can say: frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from earshot.hours import Calendar, elapsed

UNDETERMINED = "und"
"""The language of a text whose language nobody could tell (ISO 639-3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A queued item. `topic_confidence` is the probability that `topic` is right.

    `excluded` are the responders who gave it back. `due_at` None: nothing was promised.
    """

    id: int
    version: int
    team: str
    topic: str
    topic_confidence: float
    lang: str
    weight: float
    clock_started_at: datetime
    due_at: datetime | None
    target: timedelta
    calendar: str
    excluded: frozenset[int] = frozenset()
    offers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """Somebody who can answer. `limit` is how many actionable items they may hold.

    `actionable` counts those that they hold and could work on now. `skills` maps topics to
    levels from 1 to 3; without any they take every topic, and without `langs` every language.
    `absence` says why they get nothing now; empty when they do.
    """

    id: int
    teams: frozenset[str]
    langs: frozenset[str]
    skills: Mapping[str, int]
    limit: int
    actionable: int = 0
    absence: str = ""

    @property
    def free(self) -> int:
        return max(0, self.limit - self.actionable)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that waits for a brand, and all who could answer. No order is meant in either."""

    waiting: Sequence[Waiting]
    responders: Sequence[Responder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From the share `after` of the promised time on, `teams` may answer."""

    after: float
    teams: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """Who may have an item, as its time runs out. `steps` maps a team to its steps.

    Steps only widen. A team without steps answers its own items, and nobody else does.
    """

    version: str
    calendars: Mapping[str, Calendar]
    steps: Mapping[str, tuple[Step, ...]]
    max_offers: int

    def teams(self, item: Waiting, now: datetime) -> frozenset[str]:
        """The teams that may answer `item` at `now`."""
        found = frozenset({item.team})
        steps = self.steps.get(item.team, ())
        if steps:
            share = self._share_used(item, now)
            for step in steps:
                if step.after <= share:
                    found |= step.teams
        return found

    def _share_used(self, item: Waiting, now: datetime) -> float:
        calendar = self.calendars.get(item.calendar)
        if calendar is None or not item.target:
            return 0.0
        return elapsed(calendar, item.clock_started_at, now) / item.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An item for a responder, decided on `version` of the item. `explain` says why."""

    item_id: int
    version: int
    person_id: int
    explain: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """An item that offers don't help: a listener should decide about it."""

    item_id: int
    version: int
    reason: str


Decision = Offer | Escalate


class RoutingPolicy(Protocol):
    """Who gets what now. Pure: the same state and time give the same decisions."""

    def decide(self, state: State, now: datetime) -> Sequence[Decision]:
        """Decisions in order of importance; each item and each place at most once."""


def hindrance(item: Waiting, responder: Responder, teams: frozenset[str]) -> str:
    """Why `responder` can't have `item` that is open to `teams`; empty when they can."""
    if responder.id in item.excluded:
        return "gave it back"
    if not responder.teams & teams:
        return "not in the team"
    if item.lang != UNDETERMINED and responder.langs and item.lang not in responder.langs:
        return "does not speak the language"
    if responder.absence:
        return responder.absence
    return "" if responder.free else "has work to do"


def escalation(
    item: Waiting, responders: Sequence[Responder], routes: Routes, now: datetime
) -> Escalate | None:
    """Whether offering `item` has been tried enough: too often, or everybody gave it back."""
    if item.offers >= routes.max_offers:
        reason = f"nobody took it after {item.offers} offers"
        return Escalate(item_id=item.id, version=item.version, reason=reason)
    if not item.excluded:
        return None
    teams = routes.teams(item, now)
    members = {one.id for one in responders if one.teams & teams}
    if members and members <= item.excluded:
        reason = "everybody who could answer it gave it back"
        return Escalate(item_id=item.id, version=item.version, reason=reason)
    return None
