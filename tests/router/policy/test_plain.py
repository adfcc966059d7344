"""What is carried out without CEL's engine answers as the engine does, or is left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot import brand
from router.policy.facts import ITEM
from router.policy.plain import plain
from router.policy.policy_file import load_policies
from tests.system import ROOT

SAMPLE = ITEM.samples[0]["item"]
WORDS = ("", "outage", "a b", "é")
FIELDS: dict[type, list[str]] = {
    kind: [name for name, value in SAMPLE.items() if type(value) is kind]
    for kind in (str, int, float, bool)
}

words = st.sampled_from(WORDS)
numbers = st.integers(-5, 5)
shares = st.sampled_from([0.0, 0.25, 0.5, 1.0])
values = {str: words, int: numbers, float: shares, bool: st.booleans()}

facts = st.fixed_dictionaries(
    {name: values[kind] for kind, names in FIELDS.items() for name in names}
    | {"topics": st.lists(words, max_size=2)}
)


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from([str, int, float]))
    name, value = draw(st.sampled_from(FIELDS[kind])), draw(values[kind])
    sign = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
    form = draw(st.sampled_from(["field first", "constant first", "in"]))
    if form == "in":
        several = draw(st.lists(values[kind], min_size=1, max_size=3))
        return f"item.{name} in [{', '.join(map(written, several))}]"
    sides = (f"item.{name}", written(value))
    return f" {sign} ".join(sides if form == "field first" else sides[::-1])


flags = st.sampled_from([f"item.{name}" for name in FIELDS[bool]])
lists = words.map(lambda word: f"{written(word)} in item.topics")
conditions = st.recursive(
    st.one_of(comparisons(), flags, flags.map("!{}".format), lists, st.just("true")),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" && ".join),
        st.lists(inner, min_size=2, max_size=3).map(" || ".join),
        inner.map("({})".format),
        inner.map("!({})".format),
    ),
    max_leaves=8,
)


@given(conditions, facts)
def test_a_plain_condition_answers_as_the_engine_does(text: str, item: dict[str, Any]) -> None:
    found = plain(text, "item", SAMPLE)
    assert found is not None
    assert found(item) is cel.evaluate(text, {"item": item})


@pytest.mark.parametrize(
    "text",
    [
        "item.spam >= 1",  # a share and a whole number
        "item.reach > 1.5",
        "item.reach > item.text_length",
        "item.reach + 1 > 2",
        "size(item.topics) > 0",
        "item.topic.startsWith('out')",
        "item.author.reach > 5",
        "item.reach > 5 ? true : false",
        "!item.reopened == true",
        "(item.reopened) == true",
        "item.topic == 'it\\'s'",
        "item.topic == r'x'",
        "item.topic == b'x'",
        "item.topic in item.topics",
        "item.reach == 5u",
        "item.reach == 0x10",
        "item.reach == 12345678901234567890",
        "item.topic in []",
        "item.topic < 'a' < 'b'",
        "item.topic // comment",
        "agent.slots > 1",
        "item.nothing > 1",
        "item.reopened &&",
        "item.reopened item.reopened",
        "",
    ],
)
def test_what_may_mean_more_is_left_to_the_engine(text: str) -> None:
    assert plain(text, "item", SAMPLE) is None


@given(facts)
def test_the_policy_that_is_shipped_decides_alike_both_ways(item: dict[str, Any]) -> None:
    matcher = SHIPPED.matcher
    found, _ = matcher.match(item | {"author": {}})
    assert found == matcher.by_engine(item)


_BRANDS = Path(ROOT / "config" / "brands")
SHIPPED = load_policies(_BRANDS, brand.load(_BRANDS))["acme"]


def test_the_policy_that_is_shipped_needs_no_engine() -> None:
    every = [*(rule.when for rule in SHIPPED.intake), *(team.match for team in SHIPPED.teams)]
    assert all(plain(one.text, "item", SAMPLE) is not None for one in every)
