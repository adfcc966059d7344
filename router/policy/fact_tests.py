"""Tests of facts, from which structured conditions are made: closures, made once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]
Test = Callable[[Facts], bool]
"""What it asks for is false where the field is missing."""

OPERATORS: Mapping[str, tuple[str, Callable[[str, float], Test]]] = {
    "at_least": (">=", lambda name, bound: lambda f: (n := f.get(name)) is not None and n >= bound),
    "above": (">", lambda name, bound: lambda f: (n := f.get(name)) is not None and n > bound),
    "at_most": ("<=", lambda name, bound: lambda f: (n := f.get(name)) is not None and n <= bound),
    "below": ("<", lambda name, bound: lambda f: (n := f.get(name)) is not None and n < bound),
}
"""How numbers compare: each name's sign, and what makes its test of a fact."""

NONE = 1 << 30
"""Stands for the number of a test that holds when there is none."""


def always(_: Facts) -> bool:
    """The test that holds for everything."""
    return True


def negated(test: Test) -> Test:
    """`test` does not hold."""
    return lambda facts: not test(facts)


def is_truth(name: str, wanted: bool) -> Test:  # noqa: FBT001 -- the value that is asked for
    """The field is `wanted`, true or false."""
    return lambda facts: facts.get(name) is wanted


def is_any(name: str, values: Sequence[Any]) -> Test:
    """The field is one of `values`."""
    if len(values) == 1:
        (value,) = values
        return lambda facts: facts.get(name) == value
    several = frozenset(values)
    return lambda facts: facts.get(name) in several


def holds_any(name: str, values: Sequence[Any]) -> Test:
    """The list in the field has one of `values`."""
    if len(values) == 1:
        (value,) = values
        return lambda facts: value in facts.get(name, ())
    several = frozenset(values)
    return lambda facts: not several.isdisjoint(facts.get(name, ()))


def within(outer: str, test: Test) -> Test:
    """`test` of the facts that lie in the field `outer`."""
    nowhere: Facts = {}
    return lambda facts: test(facts.get(outer, nowhere))


def all_of(tests: Sequence[Test]) -> Test:
    """Every one of `tests` holds; they are tried in order."""
    if len(tests) == 1:
        return tests[0]
    first, second, *more = tests
    if not more:
        return lambda facts: first(facts) and second(facts)

    def every(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 -- a generator takes twice as long
            if not test(facts):
                return False
        return True

    return every


def any_of(tests: Sequence[Test]) -> Test:
    """One of `tests` holds; they are tried in order."""
    if len(tests) == 1:
        return tests[0]
    first, second, *more = tests
    if not more:
        return lambda facts: first(facts) or second(facts)

    def some(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 -- as above
            if test(facts):
                return True
        return False

    return some


def first_of_each(
    lists: Sequence[Sequence[tuple[int, Test]]],
) -> Callable[[Facts], list[int]]:
    """What gives, of each of `lists`, the number of the first test that holds, or `NONE`."""

    def found(facts: Facts) -> list[int]:
        firsts = []
        for tests in lists:
            for number, test in tests:
                if test(facts):
                    firsts.append(number)
                    break
            else:
                firsts.append(NONE)
        return firsts

    return found
