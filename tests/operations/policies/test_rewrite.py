"""A policy file after `earshot policy convert`: new conditions, and all else as it was."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from earshot import yaml_source
from earshot.yaml_source import OperatorError
from operations.policies.rewrite import rewrite
from router.policy import policy_file
from router.policy.policy import Policy
from router.policy.structure import Structure
from tests.router.policies import IN_CEL
from tests.router.policy.facts import facts
from tests.system import ROOT

RELEASED = (ROOT / "tests/data/policies/routing-0.1.0.yaml").read_text()


def built(text: str) -> Policy:
    return policy_file.build(yaml_source.parse(text, "routing.yaml"), "acme")


def rewritten(old: str, new: str) -> str:
    """The test policy with `old` replaced by `new`, rewritten."""
    assert old in IN_CEL
    return rewrite(IN_CEL.replace(old, new), "routing.yaml").text


BEFORE, AFTER = built(RELEASED), built(rewrite(RELEASED, "routing.yaml").text)


@given(facts)
def test_the_policy_of_the_first_release_decides_the_same_in_both_forms(
    item: dict[str, Any],
) -> None:
    assert BEFORE.matcher.match(item) == AFTER.matcher.match(item)


def test_nothing_of_the_policy_of_the_first_release_stays_in_cel() -> None:
    done = rewrite(RELEASED, "routing.yaml")
    assert (done.changed, done.left) == (22, ())
    assert all(isinstance(rule.condition, Structure) for rule in AFTER.intake)
    assert "when:" not in done.text
    assert rewrite(done.text, "routing.yaml").text == done.text


def test_comments_order_and_layout_stay() -> None:
    lines = RELEASED.splitlines()
    after = rewrite(RELEASED, "routing.yaml").text.splitlines()
    conditions = ("when:", "match:", "members:")
    kept = [line for line in lines if not any(word in line for word in conditions)]
    assert [line for line in after if line in set(kept)] == kept
    text = rewritten("do: triage,", "do: triage, # why not\n     ")
    assert "if: {intent: [question, complaint]}, do: triage, # why not\n" in text


def test_a_long_condition_in_a_block_is_written_on_several_lines() -> None:
    words = " || ".join(f"item.topic == 'topic-{n}' && item.spam < 0.{n}" for n in range(1, 4))
    boost = '- {when: "item.reach >= 20000", by: 3, flag: high_reach}'
    text = rewritten(boost, f'- when: "{words}" # all\n    by: 3')
    assert "below: 0.3} # all\n    by: 3\n" in text
    assert ("  - if:\n      any:\n        - topic: topic-1\n          spam: {below: 0.1}\n") in text


def test_texts_that_yaml_reads_as_something_else_are_quoted() -> None:
    text = rewritten("item.topic == 'outage'\", first", "item.topic in ['no', 'a: b', '']\", first")
    assert 'if: {topic: ["no", "a: b", ""]}' in text
    assert "below: 0.00000001" in rewritten("item.spam >= 0.8", "item.spam < 0.00000001")


def test_a_block_of_several_lines_and_windows_line_ends_are_kept() -> None:
    condition = "when: >-\r\n      item.spam >= 0.8\r\n      && item.reach < 5"
    rule = f"- id: spam\r\n    {condition}\r\n    do: dismiss\r\n    reason: spam\r\n"
    text = IN_CEL.replace("\n", "\r\n").replace(
        '- {id: spam, when: "item.spam >= 0.8", do: dismiss, reason: "spam"}\r\n', rule
    )
    after = rewrite(text, "routing.yaml").text
    assert "- id: spam\r\n    if: {spam: {at_least: 0.8}, reach: {below: 5}}\r\n    do: d" in after
    assert after.count("\n") == after.count("\r\n")


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("\"item.topic.startsWith('x')\"", "structure has nothing for `item.topic.startsWith(`"),
        ('&spam "item.spam >= 0.8"', "it has an anchor, an alias or a tag"),
        ('!!str "item.spam >= 0.8"', "it has an anchor, an alias or a tag"),
    ],
)
def test_what_stays_is_listed_with_line_path_and_reason(new: str, why: str) -> None:
    done = rewrite(IN_CEL.replace('"item.spam >= 0.8"', new), "routing.yaml")
    (left,) = done.left
    assert (left.line, left.path, left.why) == (7, "intake.0.when", why)
    assert f"when: {new}" in done.text


def test_a_comment_within_a_condition_is_not_lost() -> None:
    condition = "when: > # a word\n      item.spam >= 0.8"
    rule = f"- id: spam\n    {condition}\n    do: dismiss\n    reason: spam\n"
    text = IN_CEL.replace(
        '- {id: spam, when: "item.spam >= 0.8", do: dismiss, reason: "spam"}\n', rule
    )
    done = rewrite(text, "routing.yaml")
    assert [left.path for left in done.left] == ["intake.0.when"]
    assert rule in done.text


def test_a_rule_that_merges_another_is_left_whole() -> None:
    rule = '&spam {id: spam, when: "item.spam >= 0.8", do: dismiss, reason: "spam"}'
    text = IN_CEL.replace(
        '- {id: spam, when: "item.spam >= 0.8", do: dismiss, reason: "spam"}',
        f"- {rule}\n  - {{<<: *spam, id: again}}",
    )
    with pytest.raises(OperatorError, match="without changing more than conditions"):
        rewrite(text, "routing.yaml")


def test_a_policy_that_is_not_good_is_refused_as_it_is_elsewhere() -> None:
    with pytest.raises(
        OperatorError, match=r"routing\.yaml, line 7, intake\.0\.when: `item\.spma`"
    ):
        rewritten("item.spam", "item.spma")
