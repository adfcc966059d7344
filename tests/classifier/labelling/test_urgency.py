from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.labelling.urgency import HUGE_REACH, WIDE_REACH, may_alarm, urgency
from classifier.text.normalization import normalise
from classifier.text.tokens import tokens
from earshot.domain import Intent, Label, Sentiment, Urgency
from tests.builders import a_label
from tests.classifier.texts import any_text

LEVELS = [Urgency.LOW, Urgency.NORMAL, Urgency.HIGH]


def _urgency(
    text: str = "",
    intent: Intent = Intent.REMARK,
    sentiment: Sentiment = Sentiment.NEUTRAL,
    reach: int = 0,
    *,
    spam: bool = False,
) -> Label:
    return urgency(text, a_label(intent), a_label(sentiment), reach=reach, spam=spam)


@pytest.mark.parametrize(
    "text",
    [
        "the charger caught fire",
        "my account was hacked",
        "our dog is in hospital",
        "i will sue you",
    ],
)
def test_danger_is_urgent_whatever_the_tone(text: str) -> None:
    label = _urgency(text)
    assert label.value == Urgency.HIGH
    assert label.reasons[0] in text


def test_haste_alone_is_normal_and_with_a_complaint_it_is_high() -> None:
    assert _urgency("the site is down").value == Urgency.NORMAL
    label = _urgency("the site is down", Intent.COMPLAINT)
    assert (label.value, label.reasons) == (Urgency.HIGH, ("is down", "complaint"))


@pytest.mark.parametrize("intent", [Intent.QUESTION, Intent.REQUEST, Intent.COMPLAINT])
def test_who_wants_something_is_never_low(intent: Intent) -> None:
    assert _urgency(intent=intent).value == Urgency.NORMAL


@pytest.mark.parametrize("intent", [Intent.PRAISE, Intent.REMARK])
def test_who_wants_nothing_can_wait(intent: Intent) -> None:
    label = _urgency("what a day", intent)
    assert (label.value, label.reasons) == (Urgency.LOW, (intent.value,))


def test_an_angry_complaint_that_many_read_is_high() -> None:
    few = _urgency("", Intent.COMPLAINT, Sentiment.NEGATIVE, WIDE_REACH - 1)
    many = _urgency("", Intent.COMPLAINT, Sentiment.NEGATIVE, WIDE_REACH)
    assert few.value == Urgency.NORMAL
    assert many.value == Urgency.HIGH
    assert f"reach {WIDE_REACH}" in many.reasons


def test_spam_is_never_urgent() -> None:
    label = _urgency("urgent! fraud!", Intent.COMPLAINT, reach=HUGE_REACH, spam=True)
    assert (label.value, label.reasons) == (Urgency.LOW, ("spam",))


def test_a_sentiment_that_is_not_sure_does_not_count() -> None:
    unsure = urgency(
        "", a_label(Intent.COMPLAINT), a_label(Sentiment.NEGATIVE, 0.4), reach=WIDE_REACH
    )
    assert unsure.value == Urgency.NORMAL


@given(
    any_text,
    st.sampled_from(Intent),
    st.sampled_from(Sentiment),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_more_readers_never_make_it_less_urgent(
    text: str, intent: Intent, sentiment: Sentiment, reach: int, more: int
) -> None:
    few = _urgency(text, intent, sentiment, reach)
    many = _urgency(text, intent, sentiment, reach + more)
    assert LEVELS.index(Urgency(many.value)) >= LEVELS.index(Urgency(few.value))


_ALARMS = st.sampled_from(
    ["caught fire", "sue", "you", "#hacked", "hospital's", "right now", "it_is down", "ⓗ", "🄀"]
)


@given(st.lists(_ALARMS, max_size=8).map(" ".join) | any_text)
def test_wording_that_is_urgent_has_a_token_that_may_alarm(text: str) -> None:
    ready = normalise(text)
    if _urgency(ready).reasons != _urgency().reasons:
        assert any(may_alarm(token) for token in tokens([ready]))


def test_plain_talk_does_not_alarm() -> None:
    assert not any(may_alarm(token) for token in tokens(["this firefox update is lovely"]))
