"""What SQL asks of queued items, so that only those are read that somebody may take.

The conditions say in SQL what `ineligibility_reason`, `Routes.teams` and `likely_fit` of
`router.assign.state` say about an item and a person; those have the last word on what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Text, and_, false, func, not_, or_, true, type_coerce

from earshot.database.tables import ItemRow
from earshot.time import hours
from router.assign.state import UNDETERMINED, Responder, Step
from router.policy.policy import Policy

PROFILES = 30
"""The most kinds of people told apart: with more of them free there is somebody for everything."""

ALIKE = 8
"""The most people of one kind who are asked for what each of them gave back."""


@dataclass(frozen=True, slots=True)
class _Profile:
    """What people have in common who can take the same items. Empty: everything."""

    teams: frozenset[str]
    langs: frozenset[str]
    skills: frozenset[str]


def takeable(policy: Policy, people: Sequence[Responder], now: datetime) -> ColumnElement[bool]:
    """Whether one of `people` may take an item at `now`, if they are there and free."""
    opened = {
        (team, step): _opened(policy, step, now)
        for team, steps in policy.routing.routes.steps.items()
        for step in steps
    }

    def open_to(teams: frozenset[str]) -> ColumnElement[bool]:
        widened = (
            and_(ItemRow.team == team, when)
            for (team, step), when in opened.items()
            if step.teams & teams and team not in teams
        )
        return or_(ItemRow.team.in_(sorted(teams)), *widened)

    return or_(
        false(),
        *(
            and_(open_to(one.teams), _suits(one, policy.routing.wanted.min_fit), _kept_by(ids))
            for one, ids in _profiles(people).items()
        ),
    )


def unservable(policy: Policy, people: Sequence[Responder]) -> ColumnElement[bool]:
    """Whether an item's teams have members among `people`, none of whom could ever take it."""
    min_fit = policy.routing.wanted.min_fit
    steps = policy.routing.routes.steps
    served: set[str] = set()
    able: list[ColumnElement[bool]] = [false()]
    for one in _profiles(people):
        teams = set(one.teams)
        teams |= {name for name in steps if any(step.teams & one.teams for step in steps[name])}
        served |= teams
        able.append(and_(ItemRow.team.in_(sorted(teams)), _suits(one, min_fit)))
    return and_(ItemRow.team.in_(sorted(served)), not_(or_(*able)))


def _profiles(people: Iterable[Responder]) -> dict[_Profile, list[int]]:
    """The kinds of people among `people`, with who they are."""
    found: dict[_Profile, list[int]] = {}
    for one in people:
        skills = frozenset(name for name, level in one.skills.items() if level)
        # nobody has no skill at all who names some, even if at level 0
        skills = skills or frozenset({""} if one.skills else ())
        found.setdefault(_Profile(one.teams, one.langs, skills), []).append(one.id)
    if len(found) <= PROFILES:
        return found
    teams = frozenset().union(*(one.teams for one in found))
    return {_Profile(teams, frozenset(), frozenset()): []}


def _suits(one: _Profile, min_fit: float) -> ColumnElement[bool]:
    """Whether language and topic are for such people."""
    conditions: list[ColumnElement[bool]] = []
    if one.langs:
        conditions.append(ItemRow.lang.in_(sorted({*one.langs, UNDETERMINED})))
    if one.skills:
        skilled = ItemRow.topic.in_(sorted(one.skills))
        conditions.append(
            or_(
                ItemRow.topic == "",
                and_(skilled, ItemRow.topic_confidence >= 2 * min_fit - 1),
                and_(not_(skilled), ItemRow.topic_confidence <= 1 - 2 * min_fit),
            )
        )
    return and_(true(), *conditions)


def _kept_by(people: Sequence[int]) -> ColumnElement[bool]:
    """Whether not all of these people have given the item back."""
    if not 0 < len(people) <= ALIKE:
        return true()
    named = func.replace(func.replace(type_coerce(ItemRow.excluded, Text), "[", ","), "]", ",")
    return not_(and_(*(named.like(f"%,{person},%") for person in people)))


def _opened(policy: Policy, step: Step, now: datetime) -> ColumnElement[bool]:
    """Whether a step of an item's route is reached: so much of its promise is used up.

    What is left of a promise tells what is used up of it. Promises of an earlier version of
    the policy open their steps when they fall due.
    """
    promised = {
        (target.calendar, target.within)
        for rule in policy.priorities
        for target in (rule.first, rule.next)
    }
    reached = [
        and_(
            ItemRow.calendar == calendar,
            ItemRow.target_s == int(within.total_seconds()),
            ItemRow.due_at <= hours.add(policy.calendars[calendar], now, left),
        )
        for calendar, within in sorted(promised)
        if (left := within * (1 - step.after)) > timedelta()
    ]
    return or_(ItemRow.due_at <= now, *reached)
