"""Structured conditions of a routing policy: checked field by field, compiled once. Pure.

    if:
      topic: [outage, billing]
      topic_confidence: {at_least: 0.5}
      not: {lang: und}

All keys of a condition must hold, any value of a list may. A fact that is missing makes its key
false. `any`, `all` and `not` combine conditions. `true` by itself always holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from router.policy.expression import Expression, Fields
from router.policy.fact_tests import (
    OPERATORS,
    Facts,
    Test,
    all_of,
    always,
    any_of,
    holds_any,
    is_any,
    is_truth,
    negated,
    within,
)

NESTING_LIMIT = 16
"""How deep conditions nest by `any`, `all` and `not`."""


class StructureError(Exception):
    """A condition can't be used; the message says why, `path` where in it."""

    def __init__(self, message: str, *path: str | int) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Structure:
    """A compiled condition: what was written, its test, and the field paths that it reads."""

    value: Any
    test: Test
    reads: frozenset[str]

    @property
    def always(self) -> bool:
        """Whether it holds for everything."""
        return self.value is True

    def holds_for(self, facts: Facts) -> bool:
        """Whether the condition is true of `facts`."""
        return self.test(facts)


Condition = Structure | Expression
"""A condition of a policy, in either form."""


def compile_structure(value: object, fields: Fields) -> Structure:
    """The condition `value`, as YAML gives it, over the fields of the one root of `fields`.

    Raises StructureError for an unknown field or operator, a value of the wrong type or an
    empty list.
    """
    if value is True:
        return Structure(value, always, frozenset())
    compiler = _Compiler(fields)
    test = compiler.every(value, (), 0)
    return Structure(value, test, frozenset(compiler.reads))


class _Compiler:
    """Makes tests of the parts of one condition, and notes what they read."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._types = fact_types(fields)
        self.reads: set[str] = set()

    def every(self, value: object, path: tuple[str | int, ...], depth: int) -> Test:
        """The test that every key of the mapping `value` holds."""
        if depth > NESTING_LIMIT:
            raise StructureError(f"conditions nest more than {NESTING_LIMIT} deep", *path)
        if not isinstance(value, dict):
            raise StructureError(
                f"{shown(value)} is not a condition; write fields and their values, such as "
                f"`{self._example()}`",
                *path,
            )
        if not value:
            raise StructureError(
                "the condition is empty; name a field, or write `true` for one that always holds",
                *path,
            )
        return all_of([self._key(key, said, path, depth) for key, said in value.items()])

    def _key(self, key: object, said: object, above: tuple[str | int, ...], depth: int) -> Test:
        path = (*above, str(key))
        if key == "not":
            return negated(self.every(said, path, depth + 1))
        if key in ("any", "all"):
            tests = self._several(key, said, path, depth + 1)
            return any_of(tests) if key == "any" else all_of(tests)
        return self._field(str(key), said, path)

    def _several(
        self, key: str, said: object, path: tuple[str | int, ...], depth: int
    ) -> list[Test]:
        if not isinstance(said, list) or not said:
            raise StructureError(
                f"`{key}` takes a list of conditions, one after each dash; not {shown(said)}", *path
            )
        return [self.every(one, (*path, number), depth) for number, one in enumerate(said)]

    def _field(self, name: str, said: object, path: tuple[str | int, ...]) -> Test:
        type_ = self._type(name, path)
        self.reads.add(f"{self._fields.root}.{name}")
        outer, _, leaf = name.rpartition(".")
        test = self._test(name, leaf, type_, said, path)
        return within(outer, test) if outer else test

    def _type(self, name: str, path: tuple[str | int, ...]) -> type:
        root = self._fields.root
        outer, _, leaf = name.rpartition(".")
        if leaf and f"{root}.{outer}" in self._fields.open_maps:
            return int
        if name in self._types and self._types[name] is not dict:
            return self._types[name]
        if name in self._types:
            inner = [one for one in self._types if one.startswith(f"{name}.")] or [f"{name}.NAME"]
            raise StructureError(f"`{name}` is not a value; name {' or '.join(inner)}", *path)
        known = ", ".join(sorted(one for one, of in self._types.items() if of is not dict))
        bare = name.removeprefix(f"{root}.")
        remedy = f"write `{bare}`" if bare != name and bare in self._types else f"there is {known}"
        raise StructureError(f"`{name}` is not known here; {remedy}", *path)

    def _test(
        self, name: str, leaf: str, type_: type, said: object, path: tuple[str | int, ...]
    ) -> Test:
        if type_ is bool:
            return self._truth(name, leaf, said, path)
        if isinstance(said, dict) and type_ in (int, float):
            return self._bounds(name, leaf, said, path)
        values = said if isinstance(said, list) else [said]
        if not values:
            raise StructureError(f"the list is empty, so `{name}` could have no value", *path)
        for number, value in enumerate(values):
            where = (*path, number) if isinstance(said, list) else path
            self._check_value(name, type_, value, where)
        return holds_any(leaf, values) if type_ is list else is_any(leaf, values)

    def _truth(self, name: str, leaf: str, said: object, path: tuple[str | int, ...]) -> Test:
        if not isinstance(said, bool):
            raise StructureError(f"`{name}` is `true` or `false`, not {shown(said)}", *path)
        return is_truth(leaf, said)

    def _bounds(
        self, name: str, leaf: str, said: Mapping[object, object], path: tuple[str | int, ...]
    ) -> Test:
        if not said:
            raise StructureError(f"`{name}` names no bound; write {_bounds_in_words()}", *path)
        tests = []
        for operator, bound in said.items():
            if operator not in OPERATORS:
                raise StructureError(
                    f"`{operator}` is not a comparison; write {_bounds_in_words()}",
                    *path,
                    str(operator),
                )
            if not _is_number(bound):
                raise StructureError(
                    f"`{operator}` takes a number, not {shown(bound)}", *path, str(operator)
                )
            tests.append(OPERATORS[str(operator)][1](leaf, bound))
        return all_of(tests)

    def _check_value(
        self, name: str, type_: type, value: object, path: tuple[str | int, ...]
    ) -> None:
        if type_ is float:
            raise StructureError(
                f"`{name}` is a number with a fraction; compare it, as in `{{at_least: 0.5}}`, "
                f"not {shown(value)}",
                *path,
            )
        if type_ is int and (not isinstance(value, int) or isinstance(value, bool)):
            raise StructureError(
                f"`{name}` is a whole number, or compared as in `{{at_least: 2}}`; not "
                f"{shown(value)}",
                *path,
            )
        if type_ is not int and not isinstance(value, str):
            hint = "; put it in quotes" if isinstance(value, bool | int | float) else ""
            raise StructureError(f"`{name}` is text, not {shown(value)}{hint}", *path)
        words = self._fields.words.get(f"{self._fields.root}.{name}")
        if words is not None and value not in words:
            raise StructureError(
                f"`{name}` is never {shown(value)}; it is one of {', '.join(words)}", *path
            )

    def _example(self) -> str:
        return "topic: outage" if "topic" in self._types else "teams: care"


def fact_types(fields: Fields) -> Mapping[str, type]:
    """Each field below the root of `fields`, with its type; `dict` for one that holds others."""
    return dict(_types(fields.sample))


def _types(sample: Facts, above: str = "") -> Sequence[tuple[str, type]]:
    found: list[tuple[str, type]] = []
    for name, value in sample.items():
        found.append((f"{above}{name}", type(value)))
        if isinstance(value, dict):
            found += _types(value, f"{above}{name}.")
    return found


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def shown(value: object) -> str:
    """A value of YAML, short, as in a message."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    return "nothing" if value is None else repr(value)[:100]


def _bounds_in_words() -> str:
    return " or ".join(f"`{name}:`" for name in OPERATORS)
