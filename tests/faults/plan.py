"""What goes wrong when: a plan of faults, drawn from a seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

ROLES = ("collect", "classify", "route", "sweep", "send", "maintain")


class Kind(StrEnum):
    """A kind of fault. What each does stands at its method in `tests.faults.nemesis`."""

    KILL = "kill"
    STOP = "stop"
    POWER_CUT = "power cut"
    BROKER_AWAY = "broker away"
    DATABASE_AWAY = "database away"
    DELAY = "delay"
    THROTTLE = "throttle"
    RESET = "reset"
    HALF_OPEN = "half open"
    DISK_FULL = "disk full"
    CLOCK = "clock"
    POISON = "poison"
    STORM = "storm"
    REBALANCE = "rebalance"
    LEADER_KILLED = "leader killed"
    CONTROLLER_KILLED = "controller killed"
    ROLLING_RESTART = "rolling restart"


WEIGHTS: Mapping[Kind, float] = {
    Kind.KILL: 20,
    Kind.STOP: 8,
    Kind.POWER_CUT: 1,
    Kind.BROKER_AWAY: 2,
    Kind.DATABASE_AWAY: 3,
    Kind.DELAY: 8,
    Kind.THROTTLE: 5,
    Kind.RESET: 20,
    Kind.HALF_OPEN: 0.5,
    Kind.DISK_FULL: 2,
    Kind.CLOCK: 3,
    Kind.POISON: 15,
    Kind.STORM: 8,
    Kind.REBALANCE: 4,
    Kind.LEADER_KILLED: 3,
    Kind.CONTROLLER_KILLED: 2,
    Kind.ROLLING_RESTART: 0.5,
}
"""How often each is drawn, besides the one time that each is in every plan."""

SECONDS: Mapping[Kind, tuple[float, float]] = {
    Kind.STOP: (5, 15),
    Kind.POWER_CUT: (0, 2),
    Kind.BROKER_AWAY: (1, 12),
    Kind.DATABASE_AWAY: (1, 10),
    Kind.DELAY: (2, 8),
    Kind.THROTTLE: (2, 8),
    Kind.DISK_FULL: (2, 6),
    Kind.CLOCK: (6, 12),
    Kind.STORM: (2, 6),
    Kind.REBALANCE: (3, 8),
    Kind.LEADER_KILLED: (1, 6),
    Kind.CONTROLLER_KILLED: (1, 6),
}
"""How long each is kept up, at least and at most; the others pass at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `target` is a role, a link, a topic or a status; `seed` its own dice."""

    at_s: float
    kind: Kind
    target: str
    seconds: float
    seed: int


def draw(
    seed: int,
    count: int,
    span_s: float,
    targets: Mapping[Kind, Sequence[str]],
    *,
    longest_s: float = 15.0,
) -> tuple[Fault, ...]:
    """`count` faults, spread over `span_s` seconds, in their order.

    `targets` says what each kind may hit; a kind without any does not occur. As far as `count`
    reaches, every role is killed, then each kind occurs, then each target of each kind; the
    rest is drawn by weight. None is kept up for more than `longest_s`.
    """
    dice = random.Random(seed)
    chosen = _one_of_each(dice, targets)[:count]
    kinds = [kind for kind in targets if targets[kind]]
    weights = [WEIGHTS[kind] for kind in kinds]
    turns = {kind: dice.randrange(1_000) for kind in kinds}
    while len(chosen) < count:
        (kind,) = dice.choices(kinds, weights)
        turns[kind] += 1  # in turn, so that nothing is hit again while it still recovers
        chosen.append((kind, targets[kind][turns[kind] % len(targets[kind])]))
    dice.shuffle(chosen)
    step = span_s / max(1, count)
    return tuple(
        Fault(
            at_s=(number + dice.random()) * step,
            kind=kind,
            target=target,
            seconds=_seconds(dice, kind, longest_s),
            seed=dice.randrange(2**31),
        )
        for number, (kind, target) in enumerate(chosen)
    )


def _one_of_each(
    dice: random.Random, targets: Mapping[Kind, Sequence[str]]
) -> list[tuple[Kind, str]]:
    first = [(Kind.KILL, target) for target in targets.get(Kind.KILL, ())]
    others = [kind for kind in targets if kind is not Kind.KILL and targets[kind]]
    second = [(kind, dice.choice(targets[kind])) for kind in others]
    third = [(kind, target) for kind in others for target in targets[kind]]
    third = [pair for pair in third if pair not in second]
    for pairs in (second, third):
        dice.shuffle(pairs)
    return first + second + third


def _seconds(dice: random.Random, kind: Kind, longest_s: float) -> float:
    least, most = SECONDS.get(kind, (0.0, 0.0))
    return dice.uniform(min(least, longest_s), min(most, longest_s))
