"""What a routing decision is made on, and what it can say: frozen values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from earshot.time.hours import Calendar, elapsed

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

    def ever(self, item: Waiting) -> frozenset[str]:
        """The teams that may answer `item` now or when its time runs out."""
        found = frozenset({item.team})
        if item.calendar in self.calendars and item.target:
            found = found.union(*(step.teams for step in self.steps.get(item.team, ())))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which of the waiting items a policy looks at.

    Those that somebody free fits by `min_fit`; promises that an answer of `answer` can keep
    before those that are lost, and what has waited for `max_age` beside them.
    """

    min_fit: float = 0.0
    answer: timedelta = timedelta()
    max_age: timedelta = timedelta(hours=12)


class RoutingPolicy(Protocol):
    """Who gets what now. Pure: the same state and time give the same decisions."""

    @property
    def routes(self) -> Routes:
        """Who may have an item, as its time runs out."""

    @property
    def wanted(self) -> Wanted:
        """Which items it has to be shown."""

    def decide(self, state: State, now: datetime) -> Sequence[Decision]:
        """Decisions in order of importance; each item and each place at most once."""


def speaks(item: Waiting, responder: Responder) -> bool:
    """Whether the responder answers in the item's language, or nobody could tell which it is."""
    return item.lang == UNDETERMINED or not responder.langs or item.lang in responder.langs


def ineligibility_reason(item: Waiting, responder: Responder, teams: frozenset[str]) -> str:
    """Why `responder` can't have `item` that is open to `teams`; empty when they can."""
    if responder.id in item.excluded:
        return "gave it back"
    if not responder.teams & teams:
        return "not in the team"
    if not speaks(item, responder):
        return "does not speak the language"
    if responder.absence:
        return responder.absence
    return "" if responder.free else "has work to do"


def likely_fit(item: Waiting, responder: Responder) -> float:
    """The probability that the responder has the skill which the item needs.

    The share of probability that lies on other topics counts half: of those we know nothing.
    Somebody without skills takes every topic.
    """
    if not responder.skills or not item.topic:
        return 1.0
    others = (1 - item.topic_confidence) / 2
    return item.topic_confidence + others if responder.skills.get(item.topic) else others
