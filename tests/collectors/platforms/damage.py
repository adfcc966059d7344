"""Platforms' answers as they should be, and damaged in any way that is still JSON."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

NO_HURRY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Drawing damage takes its time on a busy machine."""


def _nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


ODD: list[Any] = [
    "\ud800",
    "\x00",
    "nul \x00 and \udfff",
    "9" * 30,
    "²",
    "[deleted]",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "x" * 5_000,
    10**30,
    -(10**30),
    float("nan"),
    float("inf"),
    -1,
    0,
    True,
    None,
]
JSON: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(ODD)
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.builds(list)
    | st.builds(dict)
    | st.builds(_nested, st.sampled_from([1, 700])),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, sound: Any) -> Any:
    """`sound` with one to four parts of it, at any depth, replaced or taken away."""
    whole = [copy.deepcopy(sound)]
    for _ in range(draw(st.integers(1, 4))):
        _hurt(draw, whole)
    return whole[0] if whole else None


def _hurt(draw: st.DrawFn, part: Any) -> None:
    """Replace something in `part`, or go deeper and replace something there."""
    while True:
        places = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not places:
            return
        place = draw(st.sampled_from(places))
        inner = part[place]
        if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
            part = inner
        elif isinstance(part, dict) and draw(st.booleans()):
            del part[place]
            return
        else:
            part[place] = draw(JSON)
            return
