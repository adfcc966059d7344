from __future__ import annotations

import pytest

from classifier.labelling.rules import RuleClassifier, advertising, intent, sentiment
from classifier.labelling.topics import Topic
from earshot.domain import Intent, Sentiment
from tests.builders import a_mention


@pytest.mark.parametrize(
    ("text", "value", "reasons"),
    [
        ("i love it", Sentiment.POSITIVE, ("love",)),
        ("this is not good at all", Sentiment.NEGATIVE, ("not good",)),
        ("it is broken and slow", Sentiment.NEGATIVE, ("broken", "slow")),
        ("not bad", Sentiment.POSITIVE, ("not bad",)),
        ("the shop is on main street", Sentiment.NEUTRAL, ()),
        ("great but expensive", Sentiment.NEUTRAL, ()),
        ("😡", Sentiment.NEGATIVE, ("😡",)),
    ],
)
def test_good_and_bad_words_are_weighed(
    text: str, value: Sentiment, reasons: tuple[str, ...]
) -> None:
    label = sentiment(text)
    assert (label.value, label.reasons) == (value, reasons)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("please call me", Intent.REQUEST),
        ("where is my order", Intent.QUESTION),
        ("is this broken?", Intent.QUESTION),
        ("it broke again", Intent.COMPLAINT),
        ("thanks, you are the best", Intent.PRAISE),
        ("we met at the shop", Intent.REMARK),
    ],
)
def test_the_form_of_the_sentence_comes_before_its_mood(text: str, value: Intent) -> None:
    assert intent(text).value == value


def test_the_phrases_of_spam_are_known() -> None:
    label = advertising("crypto giveaway, claim your airdrop at http ")
    assert label.value == "spam"
    assert label.reasons[0] == "giveaway"
    assert advertising("can i claim my refund?").value == "ham"


def test_a_topic_fits_when_the_text_has_its_words() -> None:
    topics = [
        Topic(name="delivery", description="parcels that are late"),
        Topic(name="price", description="too expensive"),
    ]
    classifier = RuleClassifier({"acme": topics})
    (c,) = classifier.classify([a_mention(text="Two parcels and both late. Expensive!")])
    assert [(t.value, t.reasons) for t in c.topics] == [
        ("delivery", ("late", "parcel")),
        ("price", ("expensive",)),
    ]
    assert c.model == classifier.version
