"""The routing policy as an operator writes it: `<brands>/<brand>/routing.yaml`.

Every key is read and does something; an unknown one is an error with file, line and path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path

import msgspec

from earshot import yaml_source
from earshot.domain import ItemFlag, Target
from earshot.time import calendars, hours
from earshot.time.hours import HORIZON_DAYS, PROMISE_DAYS, Calendar
from earshot.yaml_source import OperatorError, Step, YamlSource
from router.assign import state
from router.assign.earliest_due import EarliestDue
from router.assign.greedy import GreedyIndex, Objective
from router.policy.condition import condition, last_takes_all, rule_condition
from router.policy.facts import AGENT, ITEM
from router.policy.policy import Boost, IntakeRule, Policy, Presence, PriorityRule, Team
from router.policy.policy_schema import (
    BoostPart,
    DefaultsPart,
    EarliestDuePart,
    GreedyPart,
    PolicyPart,
    PriorityPart,
)

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,6})([smhd])")
_SHARE = re.compile(r"(\d{1,4})%")
_FLAGS = {"": 0, "high_reach": ItemFlag.HIGH_REACH, "vip": ItemFlag.VIP}


def load_policies(folder: Path, brands: Iterable[str]) -> Mapping[str, Policy]:
    """The policy of each of `brands` (slugs) below `folder`, by slug. Raises OperatorError."""
    return {slug: build(yaml_source.read(folder / slug / "routing.yaml"), slug) for slug in brands}


def build(source: YamlSource, brand: str) -> Policy:
    """The policy in `source`. Raises OperatorError that names file, line and path."""
    part = source.convert(PolicyPart)
    calendars.check_zone(source, part.timezone, "timezone")
    read = _Reader(source)
    named = calendars.build(source, part.calendars, part.timezone, "calendars")
    intake = tuple(
        IntakeRule(
            id=rule.id,
            condition=rule_condition(source, rule, "intake", number),
            do=rule.do,
            reason=rule.reason,
        )
        for number, rule in enumerate(part.intake)
    )
    priorities = read.priorities(part.priorities, named)
    boosts = read.boosts(part.boost)
    teams = tuple(
        Team(
            name=name,
            match=condition(source, team.match, ITEM, "teams", name, "match"),
            members=condition(source, team.members, AGENT, "teams", name, "members"),
        )
        for name, team in part.teams.items()
    )
    last_takes_all(source, [rule.condition for rule in intake], "intake", "if")
    last_takes_all(source, [rule.condition for rule in priorities], "priorities", "if")
    last_takes_all(source, [team.match for team in teams], "teams", "match")
    version = _version(source)
    routes = state.Routes(
        version=version,
        calendars=named,
        steps=read.steps(part),
        max_offers=read.positive(
            part.defaults.reserve.max_offers, "defaults", "reserve", "max_offers"
        ),
    )
    return Policy(
        brand=brand,
        version=version,
        calendars=named,
        intake=intake,
        priorities=priorities,
        boosts=boosts,
        teams=teams,
        presence=read.presence(part.defaults),
        routing=read.routing(part.objective, routes),
    )


def _version(source: YamlSource) -> str:
    """A hash of the file's content, the same whatever its layout and comments."""
    content = msgspec.json.encode(source.value, order="sorted")
    return blake2b(content, digest_size=6).hexdigest()


class _Reader:
    """Turns parts of one file into values, with errors that know their place."""

    def __init__(self, source: YamlSource) -> None:
        self._source = source
        self._error: Callable[..., OperatorError] = source.error

    def duration(self, text: str, *path: Step) -> timedelta:
        found = _DURATION.fullmatch(text)
        if found is None or not int(found[1]):
            raise self._error(f"{text!r} is not a duration; write 90s, 15m, 2h or 3d", *path)
        duration = timedelta(seconds=int(found[1]) * _UNITS[found[2]])
        if duration.days > HORIZON_DAYS:
            raise self._error(f"{text!r} is over the limit of {HORIZON_DAYS}d", *path)
        return duration

    def promise(self, text: str, name: str, calendar: Calendar, *path: Step) -> Target:
        """A target on `calendar`, which falls due before the calendar is as good as closed."""
        within = self.duration(text, *path)
        if not hours.fits(calendar, within):
            raise self._error(
                f"{text} of {calendar.name!r} takes more than {PROMISE_DAYS} days; shorten "
                "it, or open the calendar longer",
                *path,
            )
        return Target(name=name, within=within, calendar=calendar.name)

    def positive(self, number: int, *path: Step) -> int:
        if number < 1:
            raise self._error(f"{number} must be 1 or more", *path)
        return number

    def above_zero(self, number: float, *path: Step) -> float:
        if not 0 < number < float("inf"):
            raise self._error(f"{number} must be above 0", *path)
        return number

    def share(self, number: float, *path: Step) -> float:
        if not 0 <= number <= 1:
            raise self._error(f"{number} must lie in 0..1", *path)
        return number

    def priorities(
        self, parts: Sequence[PriorityPart], named: Mapping[str, Calendar]
    ) -> tuple[PriorityRule, ...]:
        rules = []
        for number, part in enumerate(parts):
            path = ("priorities", number)
            if part.clock not in named:
                raise self._error(
                    f"there is no calendar {part.clock!r}; there is {', '.join(named)}",
                    *path,
                    "clock",
                )
            clock = named[part.clock]
            rules.append(
                PriorityRule(
                    id=part.id,
                    condition=rule_condition(self._source, part, *path),
                    first=self.promise(part.first_reply, "first", clock, *path, "first_reply"),
                    next=self.promise(part.next_reply, "next", clock, *path, "next_reply"),
                    weight=self.above_zero(part.weight, *path, "weight"),
                )
            )
        return tuple(rules)

    def boosts(self, parts: Sequence[BoostPart]) -> tuple[Boost, ...]:
        return tuple(
            Boost(
                condition=rule_condition(self._source, part, "boost", number),
                by=self.above_zero(part.by, "boost", number, "by"),
                flag=_FLAGS[part.flag],
            )
            for number, part in enumerate(parts)
        )

    def steps(self, part: PolicyPart) -> dict[str, tuple[state.Step, ...]]:
        found: dict[str, tuple[state.Step, ...]] = {}
        for number, route in enumerate(part.routes):
            path = ("routes", number)
            if route.team in found:
                raise self._error(f"{route.team!r} has a route already", *path, "team")
            self._check_team(part, route.team, *path, "team")
            steps = []
            for position, step in enumerate(route.steps):
                where = (*path, "steps", position)
                share = _SHARE.fullmatch(step.after)
                if share is None:
                    raise self._error(
                        f"{step.after!r} is not a share of the promised time; write 75%",
                        *where,
                        "after",
                    )
                for place, team in enumerate(step.to):
                    self._check_team(part, team, *where, "to", place)
                steps.append(state.Step(after=int(share[1]) / 100, teams=frozenset(step.to)))
            found[route.team] = tuple(steps)
        return found

    def _check_team(self, part: PolicyPart, team: str, *path: Step) -> None:
        if team not in part.teams:
            raise self._error(f"there is no team {team!r}; there is {', '.join(part.teams)}", *path)

    def presence(self, part: DefaultsPart) -> Presence:
        reserve, path = part.reserve, ("defaults", "reserve")
        return Presence(
            accept_within=self.duration(reserve.accept_within, *path, "accept_within"),
            suspect_for=self.duration(reserve.suspect_for, *path, "suspect_for"),
            unseen_after=self.duration(reserve.unseen_after, *path, "unseen_after"),
            slots=self.positive(part.slots, "defaults", "slots"),
            late_binding=part.binding == "late",
            expire_after=self.duration(part.expire_after, "defaults", "expire_after")
            if part.expire_after
            else None,
        )

    def routing(
        self, part: GreedyPart | EarliestDuePart, routes: state.Routes
    ) -> state.RoutingPolicy:
        if isinstance(part, EarliestDuePart):
            return EarliestDue(routes=routes)
        path = ("objective", "late")
        objective = Objective(
            kappa=self.duration(part.kappa, "objective", "kappa"),
            phi=self.share(part.phi, "objective", "phi"),
            min_fit=self.share(part.min_fit, "objective", "min_fit"),
            minutes=self.above_zero(part.minutes, "objective", "minutes"),
            rows=self.positive(part.rows, "objective", "rows"),
            late_floor=self.share(part.late.floor, *path, "floor"),
            late_start=self.share(part.late.start, *path, "start"),
            late_decay=self.duration(part.late.decay, *path, "decay"),
            max_age=self.duration(part.max_age, "objective", "max_age"),
        )
        return GreedyIndex(routes=routes, objective=objective)
