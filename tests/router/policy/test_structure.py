"""Structured conditions: what they mean, and what is refused before it can do harm."""

from __future__ import annotations

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.facts import AGENT, ITEM
from router.policy.structure import NESTING_LIMIT, StructureError, compile_structure
from tests.router.policy.facts import FIELDS, facts, shares, values, values_of, words

SIGNS = {
    "at_least": operator.ge,
    "above": operator.gt,
    "at_most": operator.le,
    "below": operator.lt,
}


@st.composite
def keys(draw: st.DrawFn) -> tuple[str, Any]:
    """A field, and what a condition may ask of it."""
    kind = draw(st.sampled_from([str, int, float, bool, list]))
    if kind is list:
        return "topics", draw(words | st.lists(words, min_size=1, max_size=3))
    name = draw(st.sampled_from(FIELDS[kind]))
    value = values_of(name)
    bounds = st.dictionaries(st.sampled_from(list(SIGNS)), values.get(kind, shares), min_size=1)
    several = st.lists(value, min_size=1, max_size=3)
    asked = {str: value | several, int: value | several | bounds, float: bounds, bool: value}
    return name, draw(asked[kind])


conditions = st.recursive(
    st.lists(keys(), min_size=1, max_size=3).map(dict),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=4)}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=4)}),
        st.tuples(inner, inner).map(lambda two: two[0] | {"not": two[1]}),
    ),
    max_leaves=6,
)


def asked(said: Any, fact: Any) -> bool:
    """The meaning of one field's key, written as plainly as can be."""
    if isinstance(said, dict):
        return all(SIGNS[name](fact, bound) for name, bound in said.items())
    wanted = said if isinstance(said, list) else [said]
    return any(value in fact if isinstance(fact, list) else value == fact for value in wanted)


def meaning(condition: dict[str, Any], known: dict[str, Any]) -> bool:
    """The meaning of a condition: all keys hold, any value may, a missing fact is false."""
    joins: dict[str, Any] = {
        "any": lambda said: any(meaning(one, known) for one in said),
        "all": lambda said: all(meaning(one, known) for one in said),
        "not": lambda said: not meaning(said, known),
    }
    return all(
        joins[key](said) if key in joins else key in known and asked(said, known[key])
        for key, said in condition.items()
    )


@given(conditions, facts, st.sets(st.sampled_from(sorted(ITEM.sample))))
def test_all_keys_must_hold_any_value_may_and_a_missing_fact_is_false(
    condition: dict[str, Any], item: dict[str, Any], missing: set[str]
) -> None:
    known = {name: value for name, value in item.items() if name not in missing}
    assert compile_structure(condition, ITEM).test(known) is meaning(condition, known)


def test_fields_within_fields_are_named_with_a_dot() -> None:
    condition = compile_structure({"author.handle": ["acme", "ann"]}, ITEM)
    assert condition.reads == {"item.author.handle"}
    assert condition.test({"author": {"handle": "ann"}})
    assert not condition.test({"author": {"handle": "bob"}})
    assert not condition.test({})


def test_any_skill_may_be_asked_for() -> None:
    condition = compile_structure({"skills.tech": {"at_least": 2}, "teams": "care"}, AGENT)
    assert condition.reads == {"agent.skills.tech", "agent.teams"}
    assert condition.test({"skills": {"tech": 3}, "teams": ["care"]})
    assert not condition.test({"skills": {}, "teams": ["care"]})


def test_true_always_holds() -> None:
    assert compile_structure(True, ITEM).always  # noqa: FBT003 -- as YAML gives it
    assert compile_structure(True, ITEM).test({})  # noqa: FBT003 -- as above
    assert not compile_structure({"addressed": True}, ITEM).always


@pytest.mark.parametrize(
    ("said", "path", "complaint"),
    [
        ("item.spam > 0.5", (), "'item.spam > 0.5' is not a condition; write fields"),
        (False, (), "`false` is not a condition"),
        ({}, (), "the condition is empty"),
        (["topic"], (), "a list is not a condition"),
        (
            {"topik": "x"},
            ("topik",),
            "`topik` is not known here; there is addressed, author.handle",
        ),
        ({"item.topic": "x"}, ("item.topic",), "not known here; write `topic`$"),
        ({"author": "x"}, ("author",), "is not a value; name author.name or author.handle"),
        ({"author.nick": "x"}, ("author.nick",), "`author.nick` is not known"),
        ({"topic.x": "x"}, ("topic.x",), "`topic.x` is not known"),
        ({"agent.slots": 1}, ("agent.slots",), "`agent.slots` is not known"),
        ({True: "x"}, ("True",), "`True` is not known"),
        ({"topic": []}, ("topic",), "the list is empty"),
        ({"topic": 5}, ("topic",), "`topic` is text, not 5; put it in quotes"),
        ({"lang": ["en", False]}, ("lang", 1), "`lang` is text, not `false`; put it in quotes"),
        ({"topic": None}, ("topic",), "`topic` is text, not nothing"),
        ({"topic": {"at_least": 1}}, ("topic",), "`topic` is text, not a mapping"),
        ({"topics": [["x"]]}, ("topics", 0), "`topics` is text, not a list"),
        ({"intent": "qestion"}, ("intent",), "`intent` is never 'qestion'; it is one of question"),
        ({"can_reply": "yes"}, ("can_reply",), "`can_reply` is `true` or `false`, not 'yes'"),
        ({"can_reply": 1}, ("can_reply",), "`can_reply` is `true` or `false`, not 1"),
        ({"spam": 0.5}, ("spam",), "compare it, as in `{at_least: 0.5}`, not 0.5"),
        ({"spam": {}}, ("spam",), "`spam` names no bound; write `at_least:` or"),
        ({"spam": {"over": 1}}, ("spam", "over"), "`over` is not a comparison; write `at_least:`"),
        ({"spam": {"above": "1"}}, ("spam", "above"), "`above` takes a number, not '1'"),
        ({"spam": {"above": True}}, ("spam", "above"), "`above` takes a number, not `true`"),
        ({"spam": {"above": float("nan")}}, ("spam", "above"), "takes a number, not nan"),
        ({"reach": 1.5}, ("reach",), "`reach` is a whole number"),
        ({"reach": True}, ("reach",), "`reach` is a whole number"),
        ({"any": []}, ("any",), "`any` takes a list of conditions, .* not an empty list"),
        ({"all": {"topic": "x"}}, ("all",), "`all` takes a list of conditions, .* not a mapping"),
        ({"any": [{"topic": "x"}, {}]}, ("any", 1), "the condition is empty"),
        ({"not": [{"topic": "x"}]}, ("not",), "a list is not a condition"),
        ({"not": {"topic": {}}}, ("not", "topic"), "`topic` is text"),
    ],
)
def test_what_can_not_be_meant_is_refused_with_its_place(
    said: Any, path: tuple[str | int, ...], complaint: str
) -> None:
    with pytest.raises(StructureError, match=complaint) as refused:
        compile_structure(said, ITEM)
    assert refused.value.path == path


def test_conditions_nest_only_so_deep() -> None:
    said: dict[str, Any] = {"topic": "x"}
    for _ in range(NESTING_LIMIT):
        said = {"not": said}
    assert compile_structure(said, ITEM).test({"topic": "x"})
    with pytest.raises(StructureError, match="more than 16 deep"):
        compile_structure({"not": said}, ITEM)


def test_a_list_of_a_thousand_alternatives_can_be_asked() -> None:
    some = compile_structure(
        {"any": [{"reach": {"at_least": n}} for n in range(1000, 0, -1)]}, ITEM
    )
    assert some.test({"reach": 1})
    assert not some.test({"reach": 0})
