"""Policies of hundreds of rules decide as their rules do one by one."""

from __future__ import annotations

from typing import Any

import pytest

from router.policy.policy import Do, decide_intake
from tests.builders import a_classification, a_classified, a_label, an_author
from tests.router.policies import a_policy

MANY = 500
PLAIN = "item.reach == {}"
ENGINE = "item.reach - 1 == {} - 1"
"""Sums are left to CEL's engine."""


def many(section: str, line: str, condition: str, count: int = MANY) -> tuple[str, str]:
    """A change of the test policy: `count` rules before the others of `section`."""
    rules = (line.format(n=n, when=condition.format(n + 1000)) for n in range(count))
    return f"{section}:\n", f"{section}:\n" + "".join(f"  {rule}\n" for rule in rules)


INTAKE = '- {{id: r{n}, when: "{when}", do: triage, reason: "rule {n}"}}'
PRIORITY = (
    '- {{id: p{n}, when: "{when}", first_reply: 1h, next_reply: 1h, weight: 3, clock: always}}'
)
TEAM = 't{n}: {{match: "{when}", members: "\'t{n}\' in agent.teams"}}'
BOOST = '- {{when: "{when}", by: 2}}'


def reached_by(reach: int) -> Any:
    return a_classified(author=an_author(reach=reach))


@pytest.mark.parametrize("condition", [PLAIN, ENGINE], ids=["plain", "by the engine"])
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
    policy = a_policy(many("intake", INTAKE, "{} - 0 >= item.reach", 100))
    assert decide_intake(policy, reached_by(first + 1000)).rule == f"r{first}"


def test_a_rule_that_breaks_sends_the_mention_to_a_person_behind_many_others() -> None:
    broken = ("item.spam >= 0.8", "100 / (item.reach - 77) > 200")
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
    policy = a_policy(("item.spam >= 0.8", condition), many("intake", INTAKE, ENGINE, 20))
    quiet = a_classified(classification=a_classification(intent=a_label("remark", 0.9)))
    assert decide_intake(policy, quiet).rule == ("spam" if spam else "rest")
