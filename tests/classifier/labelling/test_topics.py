from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.labelling.topics import Topic, probabilities, prototypes
from classifier.labelling.trained_classifier import TrainedClassifier
from classifier.model.bundle import Bundle
from classifier.train import TOPIC_CURVE, train
from classifier.training.corpora import Corpus, seed
from classifier.training.topic_curve import scores
from classifier.training.training_labels import Example
from tests.builders import a_mention

TOPICS = [
    Topic(name="checkout", description="Paying, cards, the basket"),
    Topic(name="delivery", description="Parcels that are late or lost"),
]


def _topics(bundle: Bundle, text: str, topics: list[Topic] | None = None) -> list[str]:
    classifier = TrainedClassifier(bundle, {"acme": TOPICS if topics is None else topics})
    (found,) = classifier.classify([a_mention(text=text, lang="en")])
    return [topic.value for topic in found.topics]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Two parcels are late", ["delivery"]),
        ("cards are refused in the basket", ["checkout"]),
        ("I like turtles", []),
        ("", []),
    ],
)
def test_a_description_is_enough(shipped: Bundle, text: str, names: list[str]) -> None:
    assert _topics(shipped, text) == names


def test_an_example_widens_a_topic(shipped: Bundle) -> None:
    text = "courier threw my box over the fence"
    assert _topics(shipped, text) == []
    wider = [TOPICS[0], replace(TOPICS[1], examples=("the courier left the box at the fence",))]
    assert _topics(shipped, text, wider) == ["delivery"]


def test_the_same_text_is_surely_its_own_topic(shipped: Bundle) -> None:
    classifier = TrainedClassifier(
        shipped, {"acme": [Topic(name="x1", examples=("the courier left a box",) * 9)]}
    )
    (found,) = classifier.classify([a_mention(text="the courier left a box", lang="en")])
    assert found.topics[0].confidence > 0.9


def test_a_topic_scores_highest_on_its_own_texts(shipped: Bundle) -> None:
    topics = [replace(TOPICS[0], examples=("Mi tarjeta no funciona",)), TOPICS[1]]
    assert prototypes(topics, shipped).names == ("checkout", "delivery")
    for at, topic in enumerate(topics):
        found = scores(shipped, topics, topic.texts)
        assert (found.argmax(axis=1) == at).all()
        assert (found[:, at] > 0.3).all()


def test_an_example_counts_in_full_beside_examples_in_other_languages(shipped: Bundle) -> None:
    text = "a porcupine nibbled through it"
    others = ("Der Igel schläft im Laub", "Le hérisson dort", "El erizo duerme debajo")
    alone = [TOPICS[0], Topic(name="x1", examples=(text,))]
    among = [TOPICS[0], Topic(name="x1", examples=(text, *others))]
    few, many = (scores(shipped, topics, [text])[0, 1] for topics in (alone, among))
    assert many > 0.9 * few


@pytest.mark.parametrize(
    "text",
    ["Mi paquete llega con retraso", "Ein Paket ist verschwunden", "Mon colis est perdu"],
)
def test_what_a_topic_names_is_known_in_other_languages(shipped: Bundle, text: str) -> None:
    assert _topics(shipped, text) == ["delivery"]


@given(
    st.lists(st.lists(st.floats(-1, 2, width=32), min_size=3, max_size=3), min_size=1, max_size=5)
)
def test_a_higher_score_is_never_less_likely(rows: list[list[float]]) -> None:
    found = np.asarray(rows, np.float32)
    shares = probabilities(found, TOPIC_CURVE)
    assert ((shares > 0) & (shares < 1)).all()
    for row, share in zip(found, shares, strict=True):
        assert (np.diff(share[np.argsort(row)]) >= 0).all()


def test_two_topics_that_fit_alike_are_less_sure_than_one(shipped: Bundle) -> None:
    clear, close = np.asarray([[0.5, 0.1], [0.5, 0.49]], np.float32)
    sure, unsure = (probabilities(row[None], shipped.header.topic_curve)[0, 0]
                    for row in (clear, close))  # fmt: skip
    assert sure > unsure


def test_labelled_texts_are_folded_into_the_topic_of_their_name() -> None:
    rows = [
        Example(text=f"{what} {at}", task="topic", label="delivery")
        for what in ("courier threw my box over the fence", "the driver never rang the bell")
        for at in range(5)
    ]
    bundle = train([seed(), Corpus(name="own", licence="own", examples=tuple(rows))], bits=14)
    assert [(entry.name, entry.texts) for entry in bundle.header.learnt] == [("delivery", 10)]
    text = "courier threw the box over our fence"
    assert _topics(bundle, text) == ["delivery"]
    assert _topics(train([seed()], bits=14), text) == []


def test_two_topics_of_one_name_are_refused(shipped: Bundle) -> None:
    with pytest.raises(ValueError, match="'delivery' is defined twice"):
        TrainedClassifier(shipped, {"acme": [TOPICS[1], TOPICS[1]]})


def test_a_topic_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Topic(name=" ")
