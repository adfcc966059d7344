"""The greedy index: the most valuable pair of item and responder first. Pure.

The index of a pair is

    weight * urgency(slack) * fit**phi / minutes

with `slack` the time to the due moment less 1.3 times the expected handling time, and

    urgency = exp(-slack / kappa)                                  while slack >= 0
              floor + (1 - floor) * start * exp(slack / decay)     when it is lost

(the apparent-tardiness-cost rule of Vepsäläinen and Morton, 1987, with lost deadlines demoted
instead of served first, so that one miss does not cause the next).
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from router.state import (
    Decision,
    Offer,
    Responder,
    Routes,
    State,
    Waiting,
    escalation,
    hindrance,
)

SKILL_FACTOR = {0: 1.3, 1: 1.3, 2: 1.0, 3: 0.78}
"""Handling time by level of skill: a novice and an expert against the mean."""

SAFETY = 1.3
"""How much of the handling time is kept free before the due moment."""

_64_BITS = 2**64 - 1
_RANK = attrgetter("rank")

EXPLAINED = 50
"""The most responders of whom an offer says why they were not considered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The constants of the index.

    `late_start` is the urgency, above `floor`, of what has just become late. `min_fit` drops
    responders who probably lack the skill. `rows` bounds how many items of a team are looked
    at, the most urgent first. What has waited for `max_age` goes before everything else.
    """

    kappa: timedelta = timedelta(minutes=30)
    phi: float = 0.5
    min_fit: float = 0.0
    minutes: float = 5.0
    rows: int = 200
    late_floor: float = 0.1
    late_decay: timedelta = timedelta(minutes=60)
    late_start: float = 0.5
    max_age: timedelta = timedelta(hours=12)


class _Pair(NamedTuple):
    """A possible offer. Sorted by rank: starved first, then index, then a fair coin."""

    rank: tuple[int, float, int]
    item: Waiting
    responder: Responder
    urgency: float
    fit: float
    minutes: float

    def parts(self) -> dict[str, Any]:
        """The index and what it is made of."""
        return {
            "person": self.responder.id,
            "index": -self.rank[1],
            "weight": self.item.weight,
            "urgency": self.urgency,
            "fit": self.fit,
            "minutes": self.minutes,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyIndex:
    """Gives each item to the responder for whom the index is greatest, best pairs first.

    Nobody gets more than their free places: with late binding one item, when they have
    nothing to do, so that a decision is made as late as it can be.
    """

    routes: Routes
    objective: Objective

    def decide(self, state: State, now: datetime) -> Sequence[Decision]:
        decisions: list[Decision] = []
        waiting = []
        for item in sorted(state.waiting, key=lambda item: item.id):
            given_up = escalation(item, state.responders, self.routes, now)
            if given_up is None:
                waiting.append(item)
            else:
                decisions.append(given_up)
        everyone = sorted(state.responders, key=lambda responder: responder.id)
        free = [one for one in everyone if one.free and not one.absence]
        candidates: dict[int, list[_Pair]] = {}
        if free:
            for item in self._most_urgent(waiting, now):
                pairs = self._pairs(item, free, now)
                if pairs:
                    candidates[item.id] = pairs
        best = _best_first(candidates, {one.id: one.free for one in free})
        offers = (self._offer(pair, candidates[pair.item.id], everyone, now) for pair in best)
        return [*decisions, *offers]

    def urgency(self, item: Waiting, minutes: float, now: datetime) -> float:
        """How urgent `item` is at `now` for somebody who takes `minutes` for it, 0..1."""
        aim = self.objective
        due = item.due_at or item.clock_started_at + aim.max_age
        slack = (due - now).total_seconds() - 60 * SAFETY * minutes
        if slack >= 0:
            return math.exp(-slack / aim.kappa.total_seconds())
        lost = math.exp(slack / aim.late_decay.total_seconds())
        return aim.late_floor + (1 - aim.late_floor) * aim.late_start * lost

    def _most_urgent(self, waiting: Sequence[Waiting], now: datetime) -> list[Waiting]:
        by_team: dict[str, list[tuple[float, float, int, Waiting]]] = {}
        for item in waiting:
            worth = item.weight * self.urgency(item, self.objective.minutes, now)
            row = (-self._starved(item, now), -worth, item.id, item)
            by_team.setdefault(item.team, []).append(row)
        rows = self.objective.rows
        return [row[-1] for team in by_team.values() for row in heapq.nsmallest(rows, team)]

    def _pairs(self, item: Waiting, free: Sequence[Responder], now: datetime) -> list[_Pair]:
        """The pairs of `item` with all who may have it, best first."""
        teams = self.routes.teams(item, now)
        starved = self._starved(item, now)
        urgencies: dict[float, float] = {}
        pairs = []
        for responder in free:
            if hindrance(item, responder, teams):
                continue
            fit = _fit(item, responder)
            if fit < self.objective.min_fit:
                continue
            minutes = self.objective.minutes * _skill_factor(item, responder)
            urgency = urgencies.get(minutes)
            if urgency is None:
                urgency = urgencies[minutes] = self.urgency(item, minutes, now)
            index = item.weight * urgency * fit**self.objective.phi / minutes
            rank = (-starved, -index, _coin(item.id, responder.id))
            pairs.append(_Pair(rank, item, responder, urgency, fit, minutes))
        pairs.sort(key=_RANK)
        return pairs

    def _starved(self, item: Waiting, now: datetime) -> int:
        return int(now - item.clock_started_at >= self.objective.max_age)

    def _offer(
        self, won: _Pair, pairs: Sequence[_Pair], everyone: Iterable[Responder], now: datetime
    ) -> Offer:
        item = won.item
        others = [pair for pair in pairs if pair is not won]
        compared = {pair.responder.id for pair in pairs}
        teams = self.routes.teams(item, now)
        left_out: dict[str, str] = {}
        for responder in everyone:
            if responder.id not in compared and len(left_out) < EXPLAINED:
                left_out[str(responder.id)] = hindrance(item, responder, teams) or "poor fit"
        return Offer(
            item_id=item.id,
            version=item.version,
            person_id=won.responder.id,
            explain={
                "policy": self.routes.version,
                "method": "greedy",
                "winner": won.parts() | {"starved": bool(self._starved(item, now))},
                "runner_up": others[0].parts() if others else None,
                "not_considered": left_out,
                "teams": sorted(teams),
            },
        )


def _best_first(candidates: dict[int, list[_Pair]], places: dict[int, int]) -> Iterable[_Pair]:
    """Pairs in order of rank, each item once, each responder as often as they have places.

    A heap holds the best pair left of each item; a pair whose responder is taken makes room
    for the item's next one.
    """
    heap = [(pairs[0].rank, item_id, 0) for item_id, pairs in candidates.items()]
    heapq.heapify(heap)
    left = sum(places.values())
    while heap and left:
        _, item_id, position = heapq.heappop(heap)
        pairs = candidates[item_id]
        person = pairs[position].responder.id
        if places[person]:
            places[person] -= 1
            left -= 1
            yield pairs[position]
        elif position + 1 < len(pairs):
            heapq.heappush(heap, (pairs[position + 1].rank, item_id, position + 1))


def _fit(item: Waiting, responder: Responder) -> float:
    """The probability that the responder has the skill which the item needs.

    The share of probability that lies on other topics counts half: of those we know nothing.
    """
    if not responder.skills or not item.topic:
        return 1.0
    others = (1 - item.topic_confidence) / 2
    return item.topic_confidence + others if responder.skills.get(item.topic) else others


def _skill_factor(item: Waiting, responder: Responder) -> float:
    if not responder.skills or not item.topic:
        return 1.0
    return SKILL_FACTOR.get(responder.skills.get(item.topic, 0), 1.0)


def _coin(item_id: int, person_id: int) -> int:
    """Breaks ties: fair among equal colleagues, and the same whatever the order of the roster.

    The mixing step of splitmix64 (Steele, Lea, Flood: OOPSLA 2014).
    """
    mixed = (item_id + person_id * 0x9E3779B97F4A7C15) & _64_BITS
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return mixed ^ (mixed >> 31)
