"""A brand's routing policy, and what it decides about a mention. Pure.

Made from the brand's file by `router.policy.policy_file`. The same classified mention always gets
the same decision from the same version, and the decision carries its reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

import msgspec

from earshot.domain import Classified, ItemFlag, Target
from earshot.time.hours import Calendar
from router.assign.state import RoutingPolicy
from router.policy.expression import ExpressionError
from router.policy.facts import ItemFacts, agent_facts, item_facts
from router.policy.matcher import Matcher
from router.policy.structure import Condition


class Do(StrEnum):
    """What becomes of a mention at intake."""

    DISMISS = "dismiss"
    TRIAGE = "triage"
    QUEUE = "queue"


UNSURE_BELOW = 0.45
"""A listener sees an item as unsure when the least sure label that decided is below this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRule:
    id: str
    condition: Condition
    do: Do
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityRule:
    """What is promised to an item for which `condition` holds, and how much it weighs."""

    id: str
    condition: Condition
    first: Target
    next: Target
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Boost:
    """Multiplies the weight by `by`, and sets `flag` (bits of `earshot.database.tables`)."""

    condition: Condition
    by: float
    flag: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """`match` says which items are the team's, `members` which responders are of the team."""

    name: str
    match: Condition
    members: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """How offers are made and taken back. `expire_after` None: nothing expires."""

    accept_within: timedelta
    suspect_for: timedelta
    unseen_after: timedelta
    slots: int
    late_binding: bool
    expire_after: timedelta | None

    def limit(self, slots: int) -> int:
        """How many actionable items somebody with `slots` may hold."""
        return 1 if self.late_binding else min(slots, self.slots)


class Intake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A decision about one mention. `facts` are the values that the policy's rules read."""

    do: Do
    reason: str
    rule: str
    team: str
    priority: str
    weight: float
    first: Target
    next: Target
    flags: int
    confidence: float
    facts: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Everything a brand's file says. `version` is a hash of its content.

    The last rule of `intake`, `priorities` and `teams` matches whatever the others left.
    """

    brand: str
    version: str
    calendars: Mapping[str, Calendar]
    intake: tuple[IntakeRule, ...]
    priorities: tuple[PriorityRule, ...]
    boosts: tuple[Boost, ...]
    teams: tuple[Team, ...]
    presence: Presence
    routing: RoutingPolicy
    matcher: Matcher = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lists = (
            [rule.condition for rule in self.intake],
            [rule.condition for rule in self.priorities],
            [team.match for team in self.teams],
        )
        matcher = Matcher(lists, [boost.condition for boost in self.boosts])
        object.__setattr__(self, "matcher", matcher)

    def teams_of(
        self,
        *,
        teams: Sequence[str],
        langs: Sequence[str],
        skills: Mapping[str, int],
        roles: Sequence[str],
        slots: int,
    ) -> frozenset[str]:
        """The teams that a responder is a member of."""
        asked = {
            path.rpartition(".")[2]: 0
            for team in self.teams
            for path in team.members.reads
            if path.startswith("agent.skills.")
        }
        facts = agent_facts(
            teams=teams, langs=langs, skills=asked | dict(skills), roles=roles, slots=slots
        )
        return frozenset(team.name for team in self.teams if team.members.holds_for(facts))


def decide_intake(policy: Policy, classified: Classified, *, reopened: bool = False) -> Intake:
    """What becomes of a mention, who should answer it, and what is promised.

    A rule that can't be worked out (a division by zero) sends the mention to a person, with
    the last team and priority, and says so: nothing is lost to a mistake in the policy.
    """
    facts = item_facts(classified, reopened=reopened)
    try:
        (intake, priority, team), boosted, read = policy.matcher.match(facts)
    except ExpressionError as error:
        return _intake(policy, facts, {}, (Do.TRIAGE, str(error), "broken"), -1, -1, [])
    rule = policy.intake[intake]
    chosen = (rule.do, rule.reason, rule.id)
    boosts = [boost for boost, holds in zip(policy.boosts, boosted, strict=True) if holds]
    return _intake(policy, facts, read, chosen, priority, team, boosts)


def _intake(
    policy: Policy,
    facts: ItemFacts,
    read: Mapping[str, object],
    chosen: tuple[Do, str, str],
    priority: int,
    team: int,
    boosts: Sequence[Boost],
) -> Intake:
    do, reason, rule = chosen
    promised = policy.priorities[priority]
    unsure = do is Do.TRIAGE and facts["confidence"] < UNSURE_BELOW
    weight, flags = promised.weight, ItemFlag.UNSURE if unsure else 0
    for boost in boosts:
        weight *= boost.by
        flags |= boost.flag
    return Intake(
        do=do,
        reason=reason,
        rule=rule,
        team=policy.teams[team].name,
        priority=promised.id,
        weight=weight,
        first=promised.first,
        next=promised.next,
        flags=flags,
        confidence=facts["confidence"],
        facts=read,
    )
