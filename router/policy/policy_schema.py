"""The shape of `routing.yaml`: its keys, their types and their defaults.

Strict: a key that is not here is an error. Durations are written `90s`, `15m`, `2h`, `3d`.
Conditions are structured (`if`, `router.policy.structure`) or CEL (`when`,
`router.policy.expression`); where one key takes both, a text is CEL.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from earshot.time.calendars import CalendarPart
from router.policy.policy import Do


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file: immutable, and strict about unknown keys."""


class ReservePart(Part, frozen=True):
    accept_within: str = "120s"
    suspect_for: str = "10m"
    unseen_after: str = "10m"
    max_offers: int = 5


class DefaultsPart(Part, frozen=True):
    reserve: ReservePart = ReservePart()
    slots: int = 4
    binding: Literal["late", "slots"] = "late"
    expire_after: str = ""


class LatePart(Part, frozen=True):
    floor: float = 0.1
    start: float = 0.5
    decay: str = "60m"


class GreedyPart(Part, frozen=True, tag_field="kind", tag="greedy"):
    kappa: str = "30m"
    phi: float = 0.5
    min_fit: float = 0.25
    minutes: float = 5.0
    rows: int = 200
    late: LatePart = LatePart()
    max_age: str = "12h"


class EarliestDuePart(Part, frozen=True, tag_field="kind", tag="earliest_due"):
    """Nothing to set: served in order of due time, by whoever has least to do."""


class RulePart(Part, frozen=True, kw_only=True):
    """A rule has one of `if` and `when`."""

    if_: Any = msgspec.field(name="if", default=None)
    when: str = ""


class IntakePart(RulePart, frozen=True, kw_only=True):
    id: str
    do: Do
    reason: str


class PriorityPart(RulePart, frozen=True, kw_only=True):
    id: str
    first_reply: str
    next_reply: str
    clock: str
    weight: float = 1.0


class BoostPart(RulePart, frozen=True, kw_only=True):
    by: float = 1.0
    flag: Literal["", "high_reach", "vip"] = ""


class TeamPart(Part, frozen=True):
    match: Any
    members: Any


class StepPart(Part, frozen=True):
    after: str
    to: tuple[str, ...]


class RoutePart(Part, frozen=True):
    team: str
    steps: tuple[StepPart, ...]


class PolicyPart(Part, frozen=True):
    version: Literal[1]
    timezone: str
    calendars: dict[str, CalendarPart]
    intake: tuple[IntakePart, ...]
    priorities: tuple[PriorityPart, ...]
    teams: dict[str, TeamPart]
    routes: tuple[RoutePart, ...] = ()
    boost: tuple[BoostPart, ...] = ()
    defaults: DefaultsPart = DefaultsPart()
    objective: GreedyPart | EarliestDuePart = GreedyPart()
