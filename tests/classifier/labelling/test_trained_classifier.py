from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.features.vectorizer import HashedNgrams
from classifier.labelling.labels import MAX_REASONS
from classifier.labelling.rules import RuleClassifier
from classifier.labelling.topics import Topic
from classifier.labelling.trained_classifier import (
    FOREIGN_TRUST,
    TASKS,
    Classifier,
    TrainedClassifier,
)
from classifier.model.bundle import Bundle
from classifier.text.normalization import normalise
from classifier.train import weights_of
from classifier.training.corpora import seed
from classifier.training.pipeline import task_pipeline
from classifier.training.training_labels import Example
from earshot.domain import TEXT_LIMIT, Classification, Intent, Label, Mention, Sentiment, Urgency
from tests.builders import a_mention, an_author
from tests.classifier.texts import any_text

TOPICS = {
    "acme": [
        Topic(name="checkout", description="paying, cards", examples=("checkout keeps failing",)),
        Topic(name="delivery", description="parcels", examples=("my parcel is late",)),
    ],
    "other": [Topic(name="outage", description="the app is down")],
}
AWKWARD = [
    "",
    " \n\t",
    "😡",
    "😡" * 500,
    "\ud83d",
    "not \udc00 good",
    "a" * TEXT_LIMIT,
    "ab" * (TEXT_LIMIT // 2),
    "a " * (TEXT_LIMIT // 2),
    "&" * TEXT_LIMIT,
    "你" * TEXT_LIMIT,
    "\x00\x01",
    "\u202eevil\u202c",
    "@a @b @c",
    "http://x.example",
]


@pytest.fixture(scope="module", params=["trained", "rules"])
def classifier(
    request: pytest.FixtureRequest, shipped: Bundle
) -> TrainedClassifier | RuleClassifier:
    return (
        TrainedClassifier(shipped, TOPICS) if request.param == "trained" else RuleClassifier(TOPICS)
    )


def _labels(classification: Classification) -> list[Label]:
    c = classification
    return [c.lang, c.sentiment, c.intent, c.urgency, c.spam, *c.topics]


def _check(mention: Mention, classification: Classification) -> None:
    msgspec.json.decode(msgspec.json.encode(classification), type=Classification)
    for label in _labels(classification):
        assert 0 <= label.confidence <= 1
        assert len(label.reasons) <= MAX_REASONS
        assert len(set(label.reasons)) == len(label.reasons)
    assert classification.sentiment.value in set(Sentiment)
    assert classification.intent.value in set(Intent)
    assert classification.urgency.value in set(Urgency)
    assert classification.spam.value in {"spam", "ham"}
    confidences = [topic.confidence for topic in classification.topics]
    assert confidences == sorted(confidences, reverse=True)
    assert classification.wants_answer is not None
    assert 0 <= classification.wants_answer <= 1
    known = {topic.name for topic in TOPICS.get(mention.brand, ())}
    assert {topic.value for topic in classification.topics} <= known


mentions = st.lists(
    st.builds(
        lambda text, brand, lang, reach: a_mention(
            text=text, brand=brand, lang=lang, author=an_author(reach=reach)
        ),
        any_text,
        st.sampled_from(["acme", "other", "without-topics"]),
        st.sampled_from(["", "en", "de-AT", "ja"]),
        st.sampled_from([0, 50_000, 10**9]),
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(batch=mentions)
def test_a_batch_is_judged_as_its_mentions_one_by_one(
    classifier: TrainedClassifier | RuleClassifier, batch: list[Mention]
) -> None:
    together = classifier.classify(batch)
    assert together == [classifier.classify([mention])[0] for mention in batch]
    for mention, classification in zip(batch, together, strict=True):
        _check(mention, classification)


@settings(max_examples=30, deadline=None)
@given(batch=mentions, order=st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter(
    classifier: TrainedClassifier | RuleClassifier, batch: list[Mention], order: Random
) -> None:
    shuffled = list(enumerate(batch))
    order.shuffle(shuffled)
    judged = classifier.classify([mention for _, mention in shuffled])
    straight = classifier.classify(batch)
    assert judged == [straight[at] for at, _ in shuffled]


@pytest.mark.parametrize("text", AWKWARD, ids=[repr(text[:12]) for text in AWKWARD])
def test_any_text_is_judged(classifier: TrainedClassifier | RuleClassifier, text: str) -> None:
    mention = a_mention(text=text)
    (alone,) = classifier.classify([mention])
    _check(mention, alone)
    assert classifier.classify([a_mention(), mention, a_mention()])[1] == alone


def test_nothing_is_judged_in_an_empty_batch(
    classifier: TrainedClassifier | RuleClassifier,
) -> None:
    assert classifier.classify([]) == []


def test_more_mentions_than_are_judged_at_once_keep_their_order(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, TOPICS)
    texts = ["love it", "it is broken", "where is it?"] * 400
    judged = classifier.classify([a_mention(text=text, lang="en") for text in texts])
    assert judged == classifier.classify([a_mention(text=t, lang="en") for t in texts[:3]]) * 400


@pytest.mark.parametrize("task", TASKS)
def test_the_fused_pass_gives_the_probabilities_of_the_scikit_learn_pipeline(
    task: str, small: Bundle, spoken: list[Example]
) -> None:
    taught = seed().examples
    ngrams = HashedNgrams(bits=small.header.bits).fit(list({row.text: 0 for row in taught}))
    mine = [row for row in taught if row.task == task]
    pipeline = task_pipeline(task, ngrams)
    pipeline.fit(
        [row.text for row in mine],
        [row.label for row in mine],
        head__sample_weight=weights_of(mine),
    )
    texts = ["", *AWKWARD, *(row.text for row in spoken)]
    ours = TrainedClassifier(small, {}).probabilities(texts, task)
    np.testing.assert_allclose(ours, pipeline.predict_proba(texts), atol=5e-3)
    assert np.ptp(ours) > 0.5


def test_reasons_are_words_of_the_text(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, TOPICS)
    text = "The checkout keeps failing, this is not good"
    (c,) = classifier.classify([a_mention(text=text)])
    assert c.sentiment.value == Sentiment.NEGATIVE
    for label in (c.sentiment, c.intent, c.spam, *c.topics):
        assert label.reasons
        assert all(reason in normalise(text) for reason in label.reasons)
    assert c.topics[0].value == "checkout"
    assert "checkout" in c.topics[0].reasons


def test_a_denied_word_is_shown_with_its_denial(small: Bundle) -> None:
    (c,) = TrainedClassifier(small, {}).classify([a_mention(text="it doesn't work", lang="en")])
    shown = {word for label in (c.sentiment, c.intent) for word in label.reasons}
    assert "work" not in shown


def test_people_are_no_reason_and_links_are_called_so(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, {})
    texts = ["@ana @bob claim your prize http://x.example", "@ana http://x.example"]
    for c in classifier.classify([a_mention(text=text) for text in texts]):
        for label in (c.sentiment, c.intent, c.spam):
            assert not {"@user", "http", "@ana"} & set(label.reasons)


def test_a_text_without_a_word_is_a_neutral_remark(shipped: Bundle) -> None:
    for c in TrainedClassifier(shipped, TOPICS).classify(
        [a_mention(text=text) for text in ("", " \n")]
    ):
        assert (c.sentiment.value, c.intent.value, c.spam.value) == ("neutral", "remark", "ham")
        assert not c.topics


def test_labels_are_believed_less_in_a_language_the_model_was_not_taught(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, {})
    text = "checkout keeps failing"
    english, german = classifier.classify(
        [a_mention(text=text, lang=lang) for lang in ("en", "de")]
    )
    assert german.sentiment.value == english.sentiment.value
    assert german.sentiment.confidence < english.sentiment.confidence
    assert german.intent.confidence < english.intent.confidence


def test_a_brand_gets_only_its_own_topics(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, TOPICS)
    text = "the app is down and checkout keeps failing"
    batch = [a_mention(text=text, brand=brand) for brand in ("acme", "other", "nobody")]
    acme, other, nobody = classifier.classify(batch)
    assert [topic.value for topic in acme.topics] == ["checkout"]
    assert [topic.value for topic in other.topics] == ["outage"]
    assert nobody.topics == ()


def test_the_version_names_the_model_s_content(small: Bundle, shipped: Bundle) -> None:
    mine, other = TrainedClassifier(small, {}).version, TrainedClassifier(shipped, {}).version
    assert mine.startswith(small.version)
    assert other.startswith(shipped.version)
    assert mine != other


@pytest.mark.parametrize("trained", [True, False])
def test_the_version_changes_with_topics_and_languages(shipped: Bundle, *, trained: bool) -> None:
    make: Callable[..., Classifier] = (
        partial(TrainedClassifier, shipped) if trained else RuleClassifier
    )
    versions = {
        make({}).version,
        make(TOPICS).version,
        make({"acme": TOPICS["acme"]}).version,
        make(TOPICS, {"acme": ["en"]}).version,
    }
    assert len(versions) == 4
    assert make(TOPICS).version == make(dict(reversed(TOPICS.items()))).version


def test_each_brand_listens_in_its_own_languages(
    classifier: TrainedClassifier | RuleClassifier, shipped: Bundle
) -> None:
    told = {"other": ["en", "sv"]}
    mine = (
        TrainedClassifier(shipped, TOPICS, told)
        if isinstance(classifier, TrainedClassifier)
        else RuleClassifier(TOPICS, told)
    )
    text = "Paketet har fortfarande inte kommit och ingen svarar i telefonen"
    acme, other = mine.classify([a_mention(text=text, brand=b) for b in ("acme", "other")])
    assert acme.lang.value != "sv"
    assert other.lang.value == "sv"


def test_a_model_without_a_task_is_refused(small: Bundle) -> None:
    heads = tuple(h for h in small.header.heads if h.task != "spam")
    keep = sum(len(h.labels) for h in heads)
    lame = replace(
        small, header=replace(small.header, heads=heads), weights=small.weights[:, :keep]
    )
    with pytest.raises(ValueError, match="no task 'spam'"):
        TrainedClassifier(lame, {})


PLAIN = [
    "The lid is missing from the pan set I bought from Acme",
    "Is the Acme shop in Leeds open on Sunday",
    "Nobody picks up the phone at Acme",
]


def test_what_an_author_wants_is_the_sum_of_question_complaint_and_request(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, {})
    shares = classifier.probabilities(PLAIN, "intent")
    labels = next(head.labels for head in shipped.header.heads if head.task == "intent")
    wanting = [labels.index(intent) for intent in ("question", "complaint", "request")]
    judged = classifier.classify([a_mention(text=text, lang="en") for text in PLAIN])
    for one, share in zip(judged, shares[:, wanting].sum(axis=1), strict=True):
        trust = 0.95 + 0.05 * FOREIGN_TRUST
        assert one.wants_answer == pytest.approx(0.5 + (share - 0.5) * trust, abs=1e-3)
        assert one.lang_known


def test_many_small_shares_add_up_to_an_author_who_wants_an_answer(shipped: Bundle) -> None:
    judged = TrainedClassifier(shipped, {}).classify(
        [a_mention(text=text, lang="en") for text in PLAIN]
    )
    assert all(one.wants_answer is not None and one.wants_answer >= 0.2 for one in judged)
    assert any(one.wants_answer and one.wants_answer > one.intent.confidence for one in judged)


def test_where_the_language_is_not_known_nothing_is_sure(shipped: Bundle) -> None:
    classifier = TrainedClassifier(shipped, {})
    texts = ["Where is my order?", "Thank you, I love it"]
    for text in texts:
        (english,) = classifier.classify([a_mention(text=text, lang="en")])
        (turkish,) = classifier.classify([a_mention(text=text, lang="tr")])
        (german,) = classifier.classify([a_mention(text=text, lang="de")])
        assert (english.lang_known, turkish.lang_known, german.lang_known) == (True, False, False)
        assert english.wants_answer is not None
        assert german.wants_answer is not None
        assert abs(german.wants_answer - 0.5) < abs(english.wants_answer - 0.5)
