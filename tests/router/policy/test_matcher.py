"""Policies of hundreds of rules decide as their rules do one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.expression import compile_condition
from router.policy.facts import ITEM
from router.policy.matcher import DEPTH, Matcher
from router.policy.policy import Do, decide_intake
from router.policy.structure import Condition, compile_structure
from tests.builders import a_classification, a_classified, a_label, an_author
from tests.router.policies import a_policy

MANY = 500
STRUCTURED = "if: {{reach: {}}}"
ENGINE = 'when: "item.reach - 1 == {} - 1"'


def many(section: str, line: str, condition: str, count: int = MANY) -> tuple[str, str]:
    """A change of the test policy: `count` rules before the others of `section`."""
    if section == "teams":  # their key takes both forms
        condition = condition.replace("if:", "match:").replace("when:", "match:")
    rules = (line.format(n=n, when=condition.format(n + 1000)) for n in range(count))
    return f"{section}:\n", f"{section}:\n" + "".join(f"  {rule}\n" for rule in rules)


INTAKE = '- {{id: r{n}, {when}, do: triage, reason: "rule {n}"}}'
PRIORITY = "- {{id: p{n}, {when}, first_reply: 1h, next_reply: 1h, weight: 3, clock: always}}"
TEAM = "t{n}: {{{when}, members: \"'t{n}' in agent.teams\"}}"
BOOST = "- {{{when}, by: 2}}"


def reached_by(reach: int) -> Any:
    return a_classified(author=an_author(reach=reach))


@pytest.mark.parametrize("condition", [STRUCTURED, ENGINE], ids=["structured", "in CEL"])
def test_hundreds_of_rules_in_each_list_decide_right(condition: str) -> None:
    policy = a_policy(
        many("intake", INTAKE, condition),
        many("priorities", PRIORITY, condition),
        many("teams", TEAM, condition),
        many("boost", BOOST, condition),
    )
    for n in (0, 15, 16, 47, 48, 255, MANY - 1):
        found = decide_intake(policy, reached_by(n + 1000))
        assert (found.do, found.rule, found.priority, found.team) == (
            Do.TRIAGE,
            f"r{n}",
            f"p{n}",
            f"t{n}",
        )
        assert found.weight == 6
    other = decide_intake(policy, reached_by(7))
    assert (other.rule, other.priority, other.team, other.weight) == ("asks", "P3", "care", 2)


@pytest.mark.parametrize("first", [0, 1, 14, 15, 16, 31, 32, 47, 48, 99])
def test_the_first_of_several_that_hold_decides_wherever_it_is(first: int) -> None:
    policy = a_policy(many("intake", INTAKE, 'when: "{} - 0 >= item.reach"', 100))
    assert decide_intake(policy, reached_by(first + 1000)).rule == f"r{first}"


def test_a_rule_that_breaks_sends_the_mention_to_a_person_behind_many_others() -> None:
    broken = ("if: {spam: {at_least: 0.8}}", 'when: "100 / (item.reach - 77) > 200"')
    policy = a_policy(broken, many("intake", INTAKE, ENGINE))
    found = decide_intake(policy, reached_by(77))
    assert (found.do, found.rule) == (Do.TRIAGE, "broken")
    assert "100 / (item.reach - 77)" in found.reason
    assert decide_intake(policy, reached_by(1003)).rule == "r3"


@pytest.mark.parametrize(
    ("condition", "spam"),
    [
        ("has(item.topic)", True),
        ("!has(item.topic) && item.spam > 2.0", False),
        ("has( item . topic ) && item.spam > 0.5", False),
        ("has(item.author.name) && item.topic == 'has(item.topic)'", False),
        ("(" * 40 + "item.reach + 1 > 0" + ")" * 40, True),
        ("!" * 1500 + "item.can_reply", True),
    ],
)
def test_what_passes_by_itself_works_among_the_other_rules(condition: str, spam: bool) -> None:  # noqa: FBT001 -- a row of a table
    policy = a_policy(
        ("if: {spam: {at_least: 0.8}}", f'when: "{condition}"'), many("intake", INTAKE, ENGINE, 20)
    )
    quiet = a_classified(classification=a_classification(intent=a_label("remark", 0.9)))
    assert decide_intake(policy, quiet).rule == ("spam" if spam else "rest")


FORMS = st.sampled_from(
    [
        lambda bound: compile_structure({"reach": {"at_least": bound}}, ITEM),
        lambda bound: compile_condition(f"item.reach >= {bound}", ITEM),
        lambda bound: compile_condition(
            f"100 / (item.reach - 7) >= 0 && item.reach >= {bound}", ITEM
        ),
    ]
)
MIXED: st.SearchStrategy[list[Condition]] = st.lists(
    st.tuples(FORMS, st.integers(0, 20)).map(lambda drawn: drawn[0](drawn[1])), max_size=2 * DEPTH
)
ALWAYS = compile_structure(True, ITEM)  # noqa: FBT003 -- as YAML gives it


@given(st.lists(MIXED, min_size=1, max_size=3), MIXED, st.integers(8, 20))
def test_lists_of_both_forms_decide_as_their_conditions_do_one_by_one(
    lists: list[list[Condition]], boosts: list[Condition], reach: int
) -> None:
    facts = {"reach": reach}
    lists = [[*conditions, ALWAYS] for conditions in lists]
    firsts, boosted, _ = Matcher(lists, boosts).match(facts)
    assert firsts == [
        next(n for n, one in enumerate(part) if one.holds_for(facts)) for part in lists
    ]
    assert boosted == [one.holds_for(facts) for one in boosts]


def test_a_condition_in_cel_that_would_break_is_not_asked_behind_one_that_holds() -> None:
    breaks = compile_condition("100 / (item.reach - 7) > 200", ITEM)
    small = compile_structure({"reach": {"below": 10}}, ITEM)
    assert Matcher([[small, breaks, ALWAYS]], []).match({"reach": 7})[0] == [0]
    asked = compile_condition("item.reach > 100", ITEM)
    assert Matcher([[asked, small, breaks, ALWAYS]], []).match({"reach": 7})[0] == [1]
