"""Conditions of a policy: what is refused before it can do harm."""

from __future__ import annotations

import cel
import pytest

from router.policy.expression import ExpressionError, compile_condition, compile_list, first_match
from router.policy.facts import AGENT, ITEM


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("item.topic ==", "at column 1"),
        ("item.topik == 'x'", "`item.topik` is not known; `item` has addressed, author"),
        ("item.author.nick == 'x'", "`item.author.nick` is not known; `item.author` has handle"),
        ("item.reach.x > 1", "`item.reach` has no fields"),
        ("agent.slots > 1", "`agent` is not known here; there is item"),
        ("reach > 1", "`reach` is not known here"),
        ("item['reach'] > 1", "name a field"),
        ("item.reach", "must give true or false"),
        ("item.reach > 'many'", "operand types"),
        ("item.topics.exists(t, t == 'x')", "`exists` is not allowed"),
        ("[1, 2].map(x, x).size() > 1", "`map` is not allowed"),
        ("item.reach > " + "1 + " * 600 + "1", "over the limit of 2048"),
        # Hidden behind a condition that no sample meets:
        ("item.reach > 900 && item.topik == 'x'", "item.topik"),
        ("item.reach > 900 && (item.topic == 'a' || item.topic > 3)", "operand types"),
        ("item.reach < 900 || item.topic.matches(3)", "matches"),
        ("item.reach > 900 && 10 / item.reach > 2", "division by zero"),
        ("!(item.reach > 900 && item.topics[0] == 'x')", "topics"),
    ],
)
def test_what_can_not_be_worked_out_is_refused_when_it_is_read(text: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=complaint.replace("(", r"\(")):
        compile_condition(text, ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "true",
        "item.topic in ['item.nothing', 'a && b']",
        'item.author.handle.startsWith("it\'s || ?") && size(item.topics) > 1',
        "(item.topic == 'x' || item.reach > 5) && !(item.lang == 'es')",
        "item.reach > 10 ? item.urgency == 'high' : item.can_reply",
    ],
)
def test_conditions_over_known_fields_are_taken(text: str) -> None:
    assert compile_condition(text, ITEM).text == text


def test_any_skill_may_be_asked_for() -> None:
    condition = compile_condition("agent.skills.tech >= 2 && 'x' in agent.teams", AGENT)
    assert condition.reads == {"agent.skills.tech", "agent.teams"}


def test_the_first_condition_that_holds_is_found_in_one_evaluation() -> None:
    texts = ["item.reach > 100", "item.reach > 10 || item.topic == 'x'", "item.reach > 5"]
    program = compile_list([first_match([compile_condition(text, ITEM) for text in texts])])

    def first(reach: int) -> int:
        found: int = program.execute(cel.Context({"item": {"reach": reach, "topic": ""}}))[0]
        return found

    assert [first(reach) for reach in (200, 50, 7, 3)] == [0, 1, 2, -1]
