"""What `earshot policy convert` makes of a condition in CEL means the same."""

from __future__ import annotations

from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.policies.convert import NotConvertible, convert
from router.policy.facts import AGENT, ITEM
from router.policy.structure import compile_structure
from tests.router.policy.facts import CHOICES, FIELDS, facts, numbers, values, values_of, words

ORDER = {str: ["==", "!="], int: ["==", "!=", "<", "<=", ">", ">="], float: ["<", "<=", ">", ">="]}


def written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"'{value}'" if isinstance(value, str) else str(value)


@st.composite
def comparisons(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from([str, int, float]))
    name = draw(st.sampled_from([*FIELDS[kind], *(["author.reach"] if kind is int else [])]))
    one = values_of(name) if name in CHOICES else values[kind]
    form = draw(st.sampled_from(["field first", "constant first", "in"]))
    if form == "in" and kind is not float:
        several = draw(st.lists(one, min_size=1, max_size=3))
        return f"item.{name} in [{', '.join(map(written, several))}]"
    sides = (f"item.{name}", written(draw(one)))
    sign = draw(st.sampled_from(ORDER[kind]))
    return f" {sign} ".join(sides if form == "field first" else sides[::-1])


flags = st.sampled_from([f"item.{name}" for name in FIELDS[bool]])
truths = st.tuples(flags, st.sampled_from(["==", "!="]), st.booleans().map(written)).map(" ".join)
lists = words.map(lambda word: f"{written(word)} in item.topics")
conditions = st.recursive(
    st.one_of(comparisons(), flags, truths, flags.map("!{}".format), lists),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(" && ".join),
        st.lists(inner, min_size=2, max_size=3).map(" || ".join),
        inner.map("({})".format),
        inner.map("!({})".format),
    ),
    max_leaves=8,
)


@given(conditions, facts)
def test_the_structured_form_answers_as_the_condition_in_cel_does(
    text: str, item: dict[str, Any]
) -> None:
    structured = compile_structure(convert(text, ITEM), ITEM)
    assert structured.test(item) is cel.evaluate(text, {"item": item})


@given(numbers, numbers, st.lists(words, max_size=2))
def test_conditions_on_responders_convert_as_well(least: int, level: int, teams: list[str]) -> None:
    text = f"agent.skills.tech >= {least} || 'a b' in agent.teams"
    agent = {"skills": {"tech": level}, "teams": teams}
    structured = compile_structure(convert(text, AGENT), AGENT)
    assert structured.test(agent) is cel.evaluate(text, {"agent": agent})


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("true", True),
        ("item.topic == 'a' || item.topic in ['b', 'a']", {"topic": ["a", "b"]}),
        ("item.spam >= 0.2 && item.spam < 0.5", {"spam": {"at_least": 0.2, "below": 0.5}}),
        ("item.lang != 'und'", {"not": {"lang": "und"}}),
        ("item.can_reply != true", {"can_reply": False}),
        ("20000 <= item.reach", {"reach": {"at_least": 20000}}),
        (
            "item.lang != 'a' && item.lang != 'b'",
            {"all": [{"not": {"lang": "a"}}, {"not": {"lang": "b"}}]},
        ),
    ],
)
def test_it_is_written_as_a_person_would(text: str, form: Any) -> None:
    assert convert(text, ITEM) == form


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("item.spam >= 1", "compares `1` with a field of another type"),
        ("item.reach > 1.5", "another type"),
        ("item.spam == 0.5", "asks whether `spam` equals a fraction"),
        ("item.spam in [0.5]", "asks whether `spam` is in a list"),
        ("item.topic < 'b'", "asks which of `topic` and a text comes first"),
        ("item.reach > item.text_length", "nothing for `item.text_length` here"),
        ("item.reach + 1 > 2", r"nothing for `\+ 1 > 2`"),
        ("size(item.topics) > 0", "nothing for `size` here"),
        ("item.topic.startsWith('out')", r"nothing for `item.topic.startsWith\(`"),
        ("item.topics[0] == 'x'", r"nothing for `item.topics\[`"),
        ("item.reach > 5 ? true : false", r"nothing for `\? true"),
        ("!item.reopened == true", "nothing for `==` here"),
        ("(item.reopened) == true", "nothing for `==` here"),
        ("item.topic == 'it\\'s'", "structure has nothing for"),
        ("item.topic == r'x'", "nothing for `r` here"),
        ("item.topic in item.topics", "nothing for `item.topics` here"),
        ("item.reach == 5u", "nothing for `u` here"),
        ("item.reach == 0x10", "nothing for `x10` here"),
        ("item.reach == 12345678901234567890", "nothing for `12345678901234567890` here"),
        ("item.topic in []", "nothing for `]` here"),
        ("item.intent == 'nonsense'", "`intent` is never 'nonsense'"),
        ("item.addressed || true", "structure has nothing for"),
        ("item.topic == 'x' // a word", "structure has nothing for `// a word`"),
        ("!" * 40 + "(item.reach > 1)", "structure has nothing for|nest more than"),
    ],
)
def test_what_may_mean_more_stays_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(NotConvertible, match=why):
        convert(text, ITEM)
