"""All of a policy's conditions on items, worked out together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cel

from router.expression import Expression, compile_list, first_match, flatten
from router.facts import ITEM
from router.plain import Condition, plain


class Matcher:
    """The first condition of each list that holds, and each boost that does.

    Where every condition is plain they are carried out as closures, else all by one program of
    CEL: one evaluation is several times cheaper than one for each.
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
        parts = [*map(first_match, self._lists), *(f"({boost.text})" for boost in self._boosts)]
        self._program = compile_list(flatten(part, "item") for part in parts)
        self._plain = _closures((*self._lists, self._boosts))

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
        context = cel.Context({flat: facts[name] for name, flat in self._reads.items()})
        try:
            found: list[Any] = self._program.execute(context)
        except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError):
            return self._one_by_one({name: facts[name] for name in self._reads})
        return found

    def _one_by_one(self, read: Mapping[str, Any]) -> list[Any]:
        context = cel.Context({"item": read})
        found: list[Any] = []
        for conditions in self._lists:
            matches = (n for n, condition in enumerate(conditions) if condition.holds(context))
            found.append(next(matches, -1))
        return [*found, *(boost.holds(context) for boost in self._boosts)]


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
