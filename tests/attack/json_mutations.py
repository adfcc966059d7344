"""Answers that are almost right: each value of a JSON document replaced by each hostile one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.attack.corpus import MARKUP, UNSTORABLE


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    10**400,
    1e308,
    float("nan"),
    "",
    " ",
    *UNSTORABLE,
    MARKUP[0],
    "x" * 50_000,
    "\u202e",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "999999999999999999999",
    [],
    {},
    [[]],
    {"\ud800": "\x00"},
    _nested(50),
)
"""What an answer may hold where something else was promised."""


def mutations(value: Any) -> Iterator[Any]:
    """`value` with one part at a time, at any depth, left out or replaced by each of `HOSTILE`."""
    yield from HOSTILE
    if isinstance(value, dict):
        for name, inner in value.items():
            yield {key: other for key, other in value.items() if key != name}
            for changed in mutations(inner):
                yield {**value, name: changed}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            for changed in mutations(inner):
                yield [*value[:number], changed, *value[number + 1 :]]
