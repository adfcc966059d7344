"""Facts of items and conditions in CEL, for laws about both."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from earshot.domain import Intent, Sentiment, Urgency
from router.policy.facts import ITEM

WORDS = ("", "outage", "a b", "é", "no")
CHOICES: dict[str, tuple[str, ...]] = {
    "intent": tuple(map(str, Intent)),
    "urgency": tuple(map(str, Urgency)),
    "sentiment_label": tuple(map(str, Sentiment)),
}
FIELDS: dict[type, list[str]] = {
    kind: [name for name, value in ITEM.sample.items() if type(value) is kind]
    for kind in (str, int, float, bool)
}

words = st.sampled_from(WORDS)
numbers = st.integers(-5, 5)
shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])
values: dict[type, st.SearchStrategy[Any]] = {
    str: words,
    int: numbers,
    float: shares,
    bool: st.booleans(),
}


def values_of(name: str) -> st.SearchStrategy[Any]:
    """What the field `name` may hold."""
    return st.sampled_from(CHOICES[name]) if name in CHOICES else values[type(ITEM.sample[name])]


facts: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {name: values_of(name) for names in FIELDS.values() for name in names}
    | {
        "topics": st.lists(words, max_size=2),
        "author": st.fixed_dictionaries({"name": words, "handle": words, "reach": numbers}),
    }
)
"""Every fact of an item."""
