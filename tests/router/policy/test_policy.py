"""The policy file, and what it decides at intake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from earshot.domain import Intent, ItemFlag
from earshot.time import hours
from earshot.yaml_source import OperatorError
from router.policy.facts import item_facts
from router.policy.policy import Do, decide_intake
from router.policy.policy_file import load_policies
from tests.builders import NOON, a_classification, a_classified, a_label, an_author
from tests.router.policies import IN_CEL, a_policy

POLICY = a_policy()
BRANDS = Path(__file__).parents[3] / "config" / "brands"


def said(**labels: Any) -> Any:
    """A classification with a few labels changed, each (value, confidence)."""
    return a_classification(
        **{name: a_label(*label) for name, label in labels.items() if name != "topic"},
        **({"topics": (a_label(*labels["topic"]),)} if "topic" in labels else {}),
    )


def test_the_first_rule_that_matches_decides() -> None:
    question = decide_intake(POLICY, a_classified())
    assert (question.do, question.rule, question.reason) == (Do.QUEUE, "asks", "wants an answer")
    unsure = decide_intake(POLICY, a_classified(classification=said(intent=("question", 0.4))))
    assert (unsure.do, unsure.flags) == (Do.TRIAGE, ItemFlag.UNSURE)
    spam = decide_intake(POLICY, a_classified(classification=said(spam=("spam", 0.9))))
    assert (spam.do, spam.reason) == (Do.DISMISS, "spam")
    praise = decide_intake(POLICY, a_classified(classification=said(intent=("praise", 0.9))))
    assert (praise.do, praise.rule) == (Do.DISMISS, "rest")


def test_team_priority_and_promise_come_from_their_own_lists() -> None:
    outage = decide_intake(POLICY, a_classified(classification=said(topic=("outage", 0.9))))
    assert (outage.team, outage.priority, outage.weight) == ("tech", "P1", 8)
    assert outage.next.within == timedelta(minutes=20)
    other = decide_intake(POLICY, a_classified())
    assert (other.team, other.priority) == ("care", "P3")
    friday_evening = NOON.replace(day=6, hour=18)
    office = POLICY.calendars[other.first.calendar]
    assert hours.add(office, friday_evening, other.first.within) == NOON.replace(day=9, hour=8)


def test_a_boost_multiplies_the_weight_and_leaves_its_mark() -> None:
    heard = decide_intake(POLICY, a_classified(author=an_author(reach=20_000)))
    assert (heard.weight, heard.flags) == (6, ItemFlag.HIGH_REACH)


def test_the_decision_carries_what_its_rules_read() -> None:
    facts = decide_intake(POLICY, a_classified()).facts
    assert facts["intent"] == "complaint"
    assert facts["spam"] == pytest.approx(0.01)
    assert "text_length" not in facts


def test_a_rule_that_breaks_on_a_mention_sends_it_to_a_person() -> None:
    policy = a_policy(
        (
            "if: {spam: {at_least: 0.8}}",
            'when: "100 / (item.reach - 77) > 200 || item.spam >= 0.8"',
        )
    )
    broken = decide_intake(policy, a_classified(author=an_author(reach=77)))
    assert (broken.do, broken.rule) == (Do.TRIAGE, "broken")
    assert "100 / (item.reach - 77)" in broken.reason
    assert decide_intake(policy, a_classified(author=an_author(reach=99))).do is Do.QUEUE


def test_membership_is_worked_out_from_teams_and_skills() -> None:
    def teams(**of: Any) -> frozenset[str]:
        agent: dict[str, Any] = {"teams": [], "langs": [], "skills": {}, "roles": [], "slots": 4}
        return POLICY.teams_of(**(agent | of))

    assert teams() == frozenset()
    assert teams(teams=["care"]) == {"care"}
    assert teams(teams=["care"], skills={"tech": 2}) == {"care", "tech"}


def test_the_same_policy_in_cel_decides_the_same() -> None:
    before = a_policy(text=IN_CEL)
    for intent, sure, topic in (("question", 0.9, "outage"), ("complaint", 0.4, "other")):
        post = a_classified(classification=said(intent=(intent, sure), topic=(topic, 0.9)))
        assert decide_intake(before, post) == decide_intake(POLICY, post)
    lis: dict[str, Any] = {
        "teams": ["care"],
        "langs": [],
        "skills": {"tech": 1},
        "roles": [],
        "slots": 4,
    }
    assert before.teams_of(**lis) == POLICY.teams_of(**lis) == {"care", "tech"}


def test_the_version_changes_with_the_content_and_not_with_comments() -> None:
    assert a_policy(("version: 1", "# a word\nversion: 1")).version == POLICY.version
    assert a_policy(("0.8", "0.9")).version != POLICY.version


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "if: {spam: {at_least: 0.8}}",
            'when: "item.spma > 0.8"',
            r"line 7, intake\.0\.when: `item\.spma` is not known",
        ),
        (
            "{spam: {",
            "{spma: {",
            r"line 7, intake\.0\.if\.spma: `spma` is not known here; there is",
        ),
        (
            "at_least: 0.8",
            "atleast: 0.8",
            r"line 7, intake\.0\.if\.spam\.atleast: `atleast` is not",
        ),
        (
            "[question, complaint], i",
            "\n      [question,\n       no], i",
            r"line 10, intake\.1\.if\.intent\.1: `intent` is text, not `false`; put it in quotes",
        ),
        (
            "if: {topic: outage}",
            "if: item.topic",
            r"line 12, priorities\.0\.if: 'item\.topic' is not",
        ),
        (
            "if: {spam: {at_least: 0.8}}",
            "if: {spam: {at_least: 0.8}}, when: 'true'",
            r"line 7, intake\.0\.when: a rule has `if:` or `when:`, not both; say all of it in one",
        ),
        (
            "if: {reach: {at_least: 20000}}, ",
            "",
            r"line 15, boost\.0: the rule has no condition; add",
        ),
        (
            "if: {topic: outage}",
            "if: {no: outage}",
            r"line 12, priorities\.0\.if.*: `False` is not",
        ),
        (
            "match: {topic: outage}",
            "match: 5",
            r"line 17, teams\.tech\.match: 5 is not a condition",
        ),
        (
            "members: {teams: care}",
            "members: {team: x}",
            r"teams\.care\.members\.team: `team` is not",
        ),
        ("if: true, do", "if: {addressed: true}, do", "the last of intake must have if: true"),
        ("do: triage", "do: ask", r"line 9, intake\.2\.do: Invalid enum value 'ask'"),
        ('reason: "unsure"', 'reason: "x", then: y', "line 9.*unknown field `then`"),
        ("first_reply: 15m", "first_reply: 15", r"line 12, priorities\.0\.first_reply: Expected"),
        ("first_reply: 15m", "first_reply: soon", "line 12.*'soon' is not a duration"),
        (
            "clock: office",
            "clock: offcie",
            "line 13.*no calendar 'offcie'; there is office, always",
        ),
        ("weight: 8", "weight: -1", "must be above 0"),
        ("to: [care]", "to: [cares]", "line 20.*no team 'cares'; there is tech, care"),
        ("team: tech", "team: tec", "line 20.*no team 'tec'"),
        ("after: 50%", "after: half", "line 20.*'half' is not a share"),
        ("binding: late", "binding: soon", "line 24.*Invalid enum value 'soon'"),
        ("max_offers: 3", "max_offers: 0", "line 22.*must be 1 or more"),
        (
            "care: {match: true",
            "care: {match: {topic: x}",
            "the last of teams must have match: true",
        ),
        ("Europe/Madrid", "Madrid", "line 2, timezone: 'Madrid' is not a time zone"),
        (
            "first_reply: 2h",
            "first_reply: 80000h",
            (
                r"line 13, priorities\.1\.first_reply: 80000h of 'office' takes more than "
                "1830 days; "
                "shorten it, or open the calendar longer"
            ),
        ),
        ("next_reply: 20m", "next_reply: 999999d", "line 12.*999999d.* is over the limit of 3660d"),
        ("suspect_for: 10m", "suspect_for: 88000h", "line 22.*'88000h' is over the limit of 3660"),
        ("unseen_after: 10m", "unseen_after: 999999d", "line 22.*unseen_after: '999999d' is over"),
        ("slots: 4", "slots: 4\n  expire_after: 999999d", "line 24.*'999999d' is over the limit"),
        (
            "binding: late",
            "objective: {kappa: 1m}",
            "line 21, defaults: .*unknown field `objective`",
        ),
    ],
)
def test_a_mistake_is_named_with_line_and_path(old: str, new: str, complaint: str) -> None:
    with pytest.raises(OperatorError, match=complaint):
        a_policy((old, new))


def test_a_promise_is_counted_on_the_hours_of_each_season_of_its_calendar() -> None:
    """Weeks of one hour hold forty hours within the year, and not four thousand."""
    seasons = (
        'office: {hours: {mon-fri: "08:00-20:00"}}',
        (
            'office: {hours: {mon-fri: "08:00-20:00"}, '
            'changes: [{from: 2027-01-01, hours: {mon: "08:00-09:00"}}]}'
        ),
    )
    fits = a_policy(seasons, ("first_reply: 2h", "first_reply: 40h"))
    assert fits.priorities[1].first.within == timedelta(hours=40)
    with pytest.raises(OperatorError, match="4000h of 'office' takes more than 1830 days"):
        a_policy(seasons, ("first_reply: 2h", "first_reply: 4000h"))


def test_the_shipped_policies_can_be_read_and_promise_fifteen_minutes_in_an_outage() -> None:
    policies = load_policies(BRANDS, ["acme"])
    outage = a_classified(classification=said(topic=("outage", 0.9), urgency=("high", 0.9)))
    intake = decide_intake(policies["acme"], outage)
    assert (intake.do, intake.team, intake.priority) == (Do.QUEUE, "tech", "P1")
    assert intake.first.within == timedelta(minutes=15)


SHIPPED = load_policies(BRANDS, ["acme"])["acme"]
PROBABILITY = st.floats(0, 1)


@given(
    wants=PROBABILITY,
    intent=st.sampled_from(Intent),
    sure=PROBABILITY,
    spam=st.floats(0, 0.79),
    lang=st.sampled_from(["en", "de", "und"]),
    lang_known=st.booleans(),
    addressed=st.booleans(),
    can_reply=st.booleans(),
)
def test_the_shipped_policy_dismisses_only_what_surely_wants_no_answer(
    wants: float,
    intent: Intent,
    sure: float,
    spam: float,
    lang: str,
    lang_known: bool,  # noqa: FBT001 -- drawn by name
    addressed: bool,  # noqa: FBT001 -- drawn by name
    can_reply: bool,  # noqa: FBT001 -- drawn by name
) -> None:
    classification = replace(
        said(lang=(lang,), intent=(intent, sure), spam=("spam", spam), sentiment=("neutral",)),
        wants_answer=wants,
        lang_known=lang_known,
    )
    decided = decide_intake(
        SHIPPED,
        a_classified(classification=classification, addressed=addressed, can_reply=can_reply),
    )
    if decided.do is Do.DISMISS and can_reply:
        assert wants < 0.2
        assert lang_known
        assert not addressed
    if decided.do is Do.DISMISS:
        assert wants < 0.5
    if wants >= 0.5 and can_reply and spam < 0.5 and lang != "und":
        assert decided.do is Do.QUEUE


def test_thanks_for_an_answer_reopen_nothing_and_praise_out_of_the_blue_is_seen() -> None:
    thanks = replace(said(intent=("praise", 0.9), sentiment=("positive",)), wants_answer=0.1)
    post = a_classified(classification=thanks, addressed=True)
    assert decide_intake(SHIPPED, post, reopened=True).do is Do.DISMISS
    assert decide_intake(SHIPPED, post).do is Do.TRIAGE


def test_a_classification_of_a_release_before_is_read_by_its_likeliest_intent() -> None:
    def wanted(intent: str, sure: float) -> float:
        facts = item_facts(a_classified(classification=said(intent=(intent, sure))))
        return float(facts["wants_answer"])

    assert wanted("question", 0.7) == pytest.approx(0.7)
    assert wanted("praise", 0.9) == pytest.approx(0.1)


def test_a_brand_without_a_policy_is_named_with_the_file_to_write(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"ghost/routing\.yaml: No such file.*create it"):
        load_policies(tmp_path, ["ghost"])
