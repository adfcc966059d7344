"""All of a policy's conditions on items, worked out together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cel

from router.policy.expression import Expression, ExpressionError, compile_list, first_match, flatten
from router.policy.facts import ITEM
from router.policy.plain import Condition, plain

DEPTH = 16
"""How many conditions one chain nests: CEL's parser takes no more than some fifty levels."""


class Matcher:
    """The first condition of each list that holds, and each boost that does.

    Where every condition is plain they are carried out as closures, else by programs of CEL
    that take `DEPTH` conditions of each list at a time: one evaluation is several times
    cheaper than one for each. What CEL takes only by itself is worked out one by one.
    """

    def __init__(
        self,
        lists: Sequence[Sequence[Expression]],
        boosts: Sequence[Expression],
    ) -> None:
        self._lists, self._boosts = tuple(map(tuple, lists)), tuple(boosts)
        every = [one for part in (*self._lists, self._boosts) for one in part]
        paths = frozenset().union(*(one.reads for one in every))
        self._reads = {name: f"item_{name}" for name in sorted({p.split(".")[1] for p in paths})}
        self._plain = _closures((*self._lists, self._boosts))
        try:
            self._programs: _Programs | None = _Programs(self._lists, self._boosts)
        except ExpressionError:
            self._programs = None

    def match(self, facts: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The first match of each list, then whether each boost holds; and the facts read.

        Raises ExpressionError that names the condition that can't be worked out.
        """
        read = {name: facts[name] for name in self._reads}
        if self._plain is None:
            return self.by_engine(facts), read
        *lists, boosts = self._plain
        found: list[Any] = [_first(conditions, facts) for conditions in lists]
        return found + [holds(facts) for holds in boosts], read

    def by_engine(self, facts: Mapping[str, Any]) -> list[Any]:
        """What `match` finds, worked out by CEL."""
        if self._programs is not None:
            context = cel.Context({flat: facts[name] for name, flat in self._reads.items()})
            try:
                return self._programs.run(context)
            except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError):
                pass  # one condition is broken: find out which
        return self._one_by_one({name: facts[name] for name in self._reads})

    def _one_by_one(self, read: Mapping[str, Any]) -> list[Any]:
        context = cel.Context({"item": read})
        found: list[Any] = []
        for conditions in self._lists:
            matches = (n for n, condition in enumerate(conditions) if condition.holds(context))
            found.append(next(matches, -1))
        return [*found, *(boost.holds(context) for boost in self._boosts)]


class _Programs:
    """Conditions compiled together. Raises ExpressionError when CEL can't take them so."""

    def __init__(self, lists: Sequence[Sequence[Expression]], boosts: Sequence[Expression]) -> None:
        chains = [_chains(conditions) for conditions in lists]
        heads = [chain[0] for chain in chains]
        self._first = _compiled([*heads, *(f"({boost.text})" for boost in boosts)])
        self._further = [[_compiled([part]) for part in chain[1:]] for chain in chains]

    def run(self, context: cel.Context) -> list[Any]:
        """The first match of each list, then whether each boost holds. Raises what CEL raises."""
        found: list[Any] = self._first.execute(context)
        for number, programs in enumerate(self._further):
            if programs and found[number] < 0:
                found[number] = _later(programs, context)
        return found


def _later(programs: Sequence[cel.Program], context: cel.Context) -> int:
    """The first match of a list whose first `DEPTH` conditions don't hold."""
    for place, program in enumerate(programs, start=1):
        (number,) = program.execute(context)
        if number >= 0:
            return DEPTH * place + int(number)
    return -1


def _chains(conditions: Sequence[Expression]) -> list[str]:
    """The conditions as expressions that each give the first match among `DEPTH` of them."""
    starts = range(0, max(1, len(conditions)), DEPTH)
    return [first_match(conditions[start : start + DEPTH]) for start in starts]


def _compiled(parts: Sequence[str]) -> cel.Program:
    return compile_list(flatten(part, "item") for part in parts)


def _first(conditions: Sequence[Condition], facts: Mapping[str, Any]) -> int:
    for number, holds in enumerate(conditions):
        if holds(facts):
            return number
    return -1


def _closures(lists: Sequence[Sequence[Expression]]) -> tuple[tuple[Condition, ...], ...] | None:
    found = []
    for conditions in lists:
        closures = [plain(one.text, "item", ITEM.samples[0]["item"]) for one in conditions]
        if None in closures:
            return None
        found.append(tuple(one for one in closures if one is not None))
    return tuple(found)
