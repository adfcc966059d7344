"""Pairs of an item and a responder, and which of them come first. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from enum import IntEnum
from typing import Any, NamedTuple

from router.assign.state import Responder, Waiting

SKILL_FACTOR = {0: 1.3, 1: 1.3, 2: 1.0, 3: 0.78}
"""Handling time by level of skill: a novice and an expert against the mean."""

_64_BITS = 2**64 - 1


class Precedence(IntEnum):
    """What goes before what, whatever its index."""

    KEPT = 0
    STARVED = 1
    OTHER = 2
    UNPROMISED = 3


class Pair(NamedTuple):
    """A possible offer. Sorted by rank: its class, then index, then a fair coin."""

    rank: tuple[Precedence, float, int]
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


def best_first(candidates: dict[int, list[Pair]], places: dict[int, int]) -> Iterable[Pair]:
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


def skill_factor(item: Waiting, responder: Responder) -> float:
    if not responder.skills or not item.topic:
        return 1.0
    return SKILL_FACTOR.get(responder.skills.get(item.topic, 0), 1.0)


def coin(item_id: int, person_id: int) -> int:
    """Breaks ties: fair among equal colleagues, and the same whatever the order of the roster.

    The mixing step of splitmix64 (Steele, Lea, Flood: OOPSLA 2014).
    """
    mixed = (item_id + person_id * 0x9E3779B97F4A7C15) & _64_BITS
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _64_BITS
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _64_BITS
    return mixed ^ (mixed >> 31)
