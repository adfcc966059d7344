"""Earliest due first, to whoever has least to do: the plain way, to compare others with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from router.assign.escalation import Escalations
from router.assign.state import (
    Decision,
    Offer,
    Responder,
    Routes,
    State,
    Waiting,
    Wanted,
    ineligibility_reason,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarliestDue:
    """Serves items in order of their due time; each goes to the least loaded who may have it."""

    routes: Routes

    @property
    def wanted(self) -> Wanted:
        return Wanted()

    def decide(self, state: State, now: datetime) -> Sequence[Decision]:
        decisions: list[Decision] = []
        escalations = Escalations(state.responders, self.routes)
        load = {one.id: one.actionable for one in state.responders}
        for item in sorted(state.waiting, key=_due):
            given_up = escalations.of(item, now)
            if given_up is not None:
                decisions.append(given_up)
                continue
            teams = self.routes.teams(item, now)
            able = [
                (load[one.id], one.id)
                for one in state.responders
                if load[one.id] < one.limit and not ineligibility_reason(item, one, teams)
            ]
            if not able:
                continue
            able.sort()
            chosen = able[0][1]
            decisions.append(self._offer(item, able, state.responders, teams))
            load[chosen] += 1
        return decisions

    def _offer(
        self,
        item: Waiting,
        able: Sequence[tuple[int, int]],
        responders: Sequence[Responder],
        teams: frozenset[str],
    ) -> Offer:
        parts = [{"person": person, "actionable": actionable} for actionable, person in able[:2]]
        compared = {person for _, person in able}
        return Offer(
            item_id=item.id,
            version=item.version,
            person_id=able[0][1],
            explain={
                "policy": self.routes.version,
                "method": "earliest_due",
                "winner": parts[0] | {"due_at": item.due_at},
                "runner_up": parts[1] if len(parts) > 1 else None,
                "not_considered": {
                    str(one.id): ineligibility_reason(item, one, teams) or "has work to do"
                    for one in sorted(responders, key=lambda one: one.id)
                    if one.id not in compared
                },
                "teams": sorted(teams),
            },
        )


def _due(item: Waiting) -> tuple[bool, datetime, int]:
    return item.due_at is None, item.due_at or item.clock_started_at, item.id
