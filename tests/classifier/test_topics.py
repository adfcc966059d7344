from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from classifier.bundle import Bundle
from classifier.corpora import Corpus, seed
from classifier.judge import Judge
from classifier.labelled import Example
from classifier.topics import Topic, prototypes
from classifier.train import train
from tests.builders import a_mention

TOPICS = [
    Topic(name="checkout", description="Paying, cards, the basket"),
    Topic(name="delivery", description="Parcels that are late or lost"),
]


def _topics(bundle: Bundle, text: str, topics: list[Topic] | None = None) -> list[str]:
    judge = Judge(bundle, {"acme": TOPICS if topics is None else topics})
    (found,) = judge.classify([a_mention(text=text, lang="en")])
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
    judge = Judge(shipped, {"acme": [Topic(name="x1", examples=("the courier left a box",) * 9)]})
    (found,) = judge.classify([a_mention(text="the courier left a box", lang="en")])
    assert found.topics[0].confidence > 0.9


def test_a_prototype_has_the_length_of_one(shipped: Bundle) -> None:
    known = prototypes(TOPICS, shipped)
    assert known.names == ("checkout", "delivery")
    idf = shipped.idf.astype(np.float64)
    row = known.table.row
    assert row is not None
    columns = known.table.weights[row] / np.maximum(idf, 1e-9)[:, None]
    np.testing.assert_allclose(np.linalg.norm(columns, axis=0), 1, rtol=1e-4)


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
        Judge(shipped, {"acme": [TOPICS[1], TOPICS[1]]})


def test_a_topic_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a name"):
        Topic(name=" ")
