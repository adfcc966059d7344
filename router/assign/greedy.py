"""The greedy index: the most valuable pair of item and responder first. Pure.

The index of a pair is

    weight * urgency(slack) * fit**phi / minutes

with `slack` the time to the due moment less 1.3 times the expected handling time, and

    urgency = exp(-slack / kappa)                                  while slack >= 0
              floor + (1 - floor) * start * exp(slack / decay)     when it is lost

(the apparent-tardiness-cost rule of Vepsäläinen and Morton, 1987, with lost deadlines demoted
instead of served first, so that one miss does not cause the next).

While something has waited for `max_age`, it goes before all but what is urgent and can still be
kept: promises with a slack between 0 and `kappa`. What was never promised goes last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from router.assign.escalation import Escalations
from router.assign.pairs import SKILL_FACTOR, Pair, Precedence, best_first, coin, skill_factor
from router.assign.state import (
    Decision,
    Offer,
    Responder,
    Routes,
    State,
    Waiting,
    Wanted,
    ineligibility_reason,
    likely_fit,
)

SAFETY = 1.3
"""How much of the handling time is kept free before the due moment."""

_RANK = attrgetter("rank")

EXPLAINED = 50
"""The most responders of whom an offer says why they were not considered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """The constants of the index.

    `late_start` is the urgency, above `floor`, of what has just become late. `min_fit` drops
    responders who probably lack the skill. `rows` bounds how many items of a team are looked
    at, of those that somebody free may take the most urgent first. A promised item that has
    waited for `max_age` goes before all but what is urgent and can still be kept.
    """

    kappa: timedelta = timedelta(minutes=30)
    phi: float = 0.5
    min_fit: float = 0.25
    minutes: float = 5.0
    rows: int = 200
    late_floor: float = 0.1
    late_decay: timedelta = timedelta(minutes=60)
    late_start: float = 0.5
    max_age: timedelta = timedelta(hours=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyIndex:
    """Gives each item to the responder for whom the index is greatest, best pairs first.

    Nobody gets more than their free places: with late binding one item, when they have
    nothing to do, so that a decision is made as late as it can be.
    """

    routes: Routes
    objective: Objective

    @property
    def wanted(self) -> Wanted:
        aim = self.objective
        quickest = aim.minutes * min(SKILL_FACTOR.values())
        answer = timedelta(minutes=SAFETY * quickest)
        return Wanted(min_fit=aim.min_fit, answer=answer, max_age=aim.max_age)

    def decide(self, state: State, now: datetime) -> Sequence[Decision]:
        decisions: list[Decision] = []
        waiting = []
        escalations = Escalations(state.responders, self.routes, self.objective.min_fit)
        for item in sorted(state.waiting, key=lambda item: item.id):
            given_up = escalations.of(item, now)
            if given_up is None:
                waiting.append(item)
            else:
                decisions.append(given_up)
        everyone = sorted(state.responders, key=lambda responder: responder.id)
        free = [one for one in everyone if one.free and not one.absence]
        candidates = self._candidates(waiting, free, now) if free else {}
        best = best_first(candidates, {one.id: one.free for one in free})
        offers = (self._offer(pair, candidates[pair.item.id], everyone, now) for pair in best)
        return [*decisions, *offers]

    def urgency(self, item: Waiting, minutes: float, now: datetime) -> float:
        """How urgent `item` is at `now` for somebody who takes `minutes` for it, 0..1."""
        aim = self.objective
        slack = self._slack_s(item, minutes, now)
        if slack >= 0:
            return math.exp(-slack / aim.kappa.total_seconds())
        lost = math.exp(slack / aim.late_decay.total_seconds())
        return aim.late_floor + (1 - aim.late_floor) * aim.late_start * lost

    def _slack_s(self, item: Waiting, minutes: float, now: datetime) -> float:
        if item.due_at is None:
            return self.objective.max_age.total_seconds()
        return (item.due_at - now).total_seconds() - 60 * SAFETY * minutes

    def _candidates(
        self, waiting: Sequence[Waiting], free: Sequence[Responder], now: datetime
    ) -> dict[int, list[Pair]]:
        """The pairs of the most urgent items of each team that somebody free may have."""
        starving = any(self._starved(item, now) for item in waiting)
        by_team: dict[str, list[tuple[Precedence, float, int, Waiting]]] = {}
        for item in waiting:
            minutes = self.objective.minutes
            worth = item.weight * self.urgency(item, minutes, now)
            first = self._class(item, minutes, now, starving=starving)
            by_team.setdefault(item.team, []).append((first, -worth, item.id, item))
        found: dict[int, list[Pair]] = {}
        for rows in by_team.values():
            rows.sort()
            left = self.objective.rows
            for *_, item in rows:
                pairs = self._pairs(item, free, now, starving=starving)
                if pairs:
                    found[item.id] = pairs
                    left -= 1
                    if not left:
                        break
        return found

    def _pairs(
        self, item: Waiting, free: Sequence[Responder], now: datetime, *, starving: bool
    ) -> list[Pair]:
        """The pairs of `item` with all who may have it, best first."""
        teams = self.routes.teams(item, now)
        known: dict[float, tuple[Precedence, float]] = {}
        pairs = []
        for responder in free:
            if ineligibility_reason(item, responder, teams):
                continue
            fit = likely_fit(item, responder)
            if fit < self.objective.min_fit:
                continue
            minutes = self.objective.minutes * skill_factor(item, responder)
            if minutes not in known:
                first = self._class(item, minutes, now, starving=starving)
                known[minutes] = first, self.urgency(item, minutes, now)
            first, urgency = known[minutes]
            index = item.weight * urgency * fit**self.objective.phi / minutes
            rank = (first, -index, coin(item.id, responder.id))
            pairs.append(Pair(rank, item, responder, urgency, fit, minutes))
        pairs.sort(key=_RANK)
        return pairs

    def _class(self, item: Waiting, minutes: float, now: datetime, *, starving: bool) -> Precedence:
        """What goes before what. While nothing starves the index alone decides on promises."""
        if item.due_at is None:
            return Precedence.UNPROMISED
        if not starving:
            return Precedence.OTHER
        if 0 <= self._slack_s(item, minutes, now) <= self.objective.kappa.total_seconds():
            return Precedence.KEPT
        return Precedence.STARVED if self._starved(item, now) else Precedence.OTHER

    def _starved(self, item: Waiting, now: datetime) -> bool:
        """Whether a promised item has waited too long. History that promises nothing can't."""
        return item.due_at is not None and now - item.clock_started_at >= self.objective.max_age

    def _offer(
        self, won: Pair, pairs: Sequence[Pair], everyone: Iterable[Responder], now: datetime
    ) -> Offer:
        item = won.item
        others = [pair for pair in pairs if pair is not won]
        compared = {pair.responder.id for pair in pairs}
        teams = self.routes.teams(item, now)
        left_out: dict[str, str] = {}
        for responder in everyone:
            if responder.id not in compared and len(left_out) < EXPLAINED:
                left_out[str(responder.id)] = (
                    ineligibility_reason(item, responder, teams) or "poor fit"
                )
        return Offer(
            item_id=item.id,
            version=item.version,
            person_id=won.responder.id,
            explain={
                "policy": self.routes.version,
                "method": "greedy",
                "winner": won.parts() | {"starved": won.rank[0] is Precedence.STARVED},
                "runner_up": others[0].parts() if others else None,
                "not_considered": left_out,
                "teams": sorted(teams),
            },
        )
