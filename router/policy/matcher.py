"""All of a policy's conditions on items, worked out together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cel

from router.policy.expression import Expression, ExpressionError, compile_list, first_match, flatten
from router.policy.fact_tests import NONE, Facts, Test, first_of_each
from router.policy.structure import Condition, Structure

DEPTH = 16
"""How many conditions one chain nests: CEL's parser takes no more than some fifty levels."""


class Match(NamedTuple):
    """What holds: the first condition of each list, each boost or not, and the facts they read."""

    firsts: Sequence[int]
    boosts: Sequence[bool]
    read: Mapping[str, object]


class Matcher:
    """The first condition of each list that holds, and each boost that does.

    Structured conditions are tested first. CEL is asked only where one of its conditions comes
    before the structured one that holds.
    """

    def __init__(
        self,
        lists: Sequence[Sequence[Condition]],
        boosts: Sequence[Condition],
    ) -> None:
        every = (*lists, *([boost] for boost in boosts))
        paths = frozenset().union(*(one.reads for part in every for one in part))
        self._reads = tuple(sorted({path.split(".")[1] for path in paths}))
        self._first_structured = first_of_each(tuple(map(_tests, every)))
        self._lists = len(lists)
        self._engine = _Engine(every)
        self._structured = all(isinstance(one, Structure) for part in every for one in part)

    def match(self, facts: Facts) -> Match:
        """What holds of `facts`, and those of them that the conditions read.

        Raises ExpressionError that names the condition that can't be worked out.
        """
        read = {name: facts[name] for name in self._reads}
        found = self._first_structured(facts)
        if not self._structured and self._engine.may_come_before(found):
            found = self._engine.improve(found, facts)
        boosts = [number == 0 for number in found[self._lists :]]
        return Match(found[: self._lists], boosts, read)


class _Engine:
    """The conditions of each list that are CEL, by programs that take many of them at a time.

    One evaluation is several times cheaper than one for each condition. What CEL takes only by
    itself is worked out one by one.
    """

    def __init__(self, lists: Sequence[Sequence[Condition]]) -> None:
        self._lists = lists
        self._numbers = [
            [number for number, one in enumerate(part) if isinstance(one, Expression)]
            for part in lists
        ]
        self._heads = [(at, numbers[0]) for at, numbers in enumerate(self._numbers) if numbers]
        expressions = [[one for one in part if isinstance(one, Expression)] for part in lists]
        paths = frozenset().union(*(one.reads for part in expressions for one in part))
        self._reads = {name: f"item_{name}" for name in sorted({p.split(".")[1] for p in paths})}
        try:
            self._programs: _Programs | None = _Programs(expressions)
        except ExpressionError:
            self._programs = None

    def may_come_before(self, found: Sequence[int]) -> bool:
        """Whether a condition in CEL comes before what was found in some list."""
        for at, number in self._heads:  # noqa: SIM110 -- a generator takes twice as long
            if number < found[at]:
                return True
        return False

    def improve(self, found: Sequence[int], facts: Facts) -> list[int]:
        """The first match of each list, where `found` are the first structured ones."""
        if self._programs is not None:
            context = cel.Context({flat: facts[name] for name, flat in self._reads.items()})
            try:
                firsts = self._programs.run(context)
            except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError):
                pass  # one condition is broken: find out which, and whether it is reached at all
            else:
                return [
                    min(numbers[first], structured) if first >= 0 else structured
                    for numbers, first, structured in zip(self._numbers, firsts, found, strict=True)
                ]
        return self._one_by_one(facts)

    def _one_by_one(self, facts: Facts) -> list[int]:
        context = cel.Context({"item": {name: facts[name] for name in self._reads}})

        def holds(one: Condition) -> bool:
            return one.test(facts) if isinstance(one, Structure) else one.holds(context)

        return [
            next((number for number, one in enumerate(part) if holds(one)), NONE)
            for part in self._lists
        ]


class _Programs:
    """Conditions compiled together. Raises ExpressionError when CEL can't take them so."""

    def __init__(self, lists: Sequence[Sequence[Expression]]) -> None:
        chains = [_chains(conditions) for conditions in lists]
        self._first = _compiled([chain[0] for chain in chains])
        self._further = [[_compiled([part]) for part in chain[1:]] for chain in chains]

    def run(self, context: cel.Context) -> list[int]:
        """The first match of each list, or -1. Raises what CEL raises."""
        found: list[int] = self._first.execute(context)
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


def _tests(conditions: Sequence[Condition]) -> tuple[tuple[int, Test], ...]:
    """The tests of those conditions that are structured, with their numbers in the list."""
    return tuple(
        (number, one.test) for number, one in enumerate(conditions) if isinstance(one, Structure)
    )
