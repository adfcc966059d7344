from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from classifier.evaluate import evaluate
from classifier.labelling.trained_classifier import TrainedClassifier
from classifier.model.bundle import Bundle, load
from classifier.text.normalization import normalise
from classifier.train import merged, train, train_default, train_labels
from classifier.training.corpora import Corpus, default_corpora, seed
from classifier.training.training_labels import LABELS, BadLabels, Example
from tests.builders import a_mention

SETS = {
    "sentiment_semeval_train.csv": "label",
    "sentiment_vader_tweets.csv": "score",
    "sentiment_vader_amazon.csv": "score",
    "topic_banking77_train.csv": "label",
    "topic_clinc150_train_val.csv": "label",
    "spam_sms.csv": "label",
}


def _write(path: Path, column: str, rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("text", column), *rows])


@pytest.fixture(scope="module")
def tiny_sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sets of the public sets' shape, made of our own sentences."""
    folder = tmp_path_factory.mktemp("sets")
    intents = [
        (f"{ask} {thing} number {at}", f"{thing}_{at % 2}")
        for thing in ("card", "loan", "rate", "form", "code", "bill", "fee", "pin")
        for ask in ("how do i find the", "please change my")
        for at in range(16)
    ]
    moods = [("negative", "this is awful"), ("neutral", "we met at"), ("positive", "i love it")]
    tweets = [(f"{text} {at}", mood) for mood, text in moods for at in range(40)]
    scored = [
        (f"{text} again {at}", str(2 * (n - 1)))
        for n, (_, text) in enumerate(moods)
        for at in range(5)
    ]
    _write(folder / "sentiment_semeval_train.csv", "label", tweets)
    _write(folder / "sentiment_vader_tweets.csv", "score", scored)
    _write(folder / "sentiment_vader_amazon.csv", "score", scored)
    _write(folder / "topic_banking77_train.csv", "label", intents)
    _write(folder / "topic_clinc150_train_val.csv", "label", [*intents, ("zzz", "oos")])
    _write(folder / "spam_sms.csv", "label", [("win a prize now", "spam"), ("see you", "ham")])
    return folder


def test_training_twice_gives_the_same_file(tiny_sets: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.npz", tmp_path / "2.npz"
    version = train_default(tiny_sets, first).version
    train_default(tiny_sets, second)
    assert first.read_bytes() == second.read_bytes()
    assert load(first).version == version


def test_provenance_names_each_set_with_its_licence(tiny_sets: Path) -> None:
    bundle = train(default_corpora(tiny_sets), bits=10)
    named = {entry["name"]: entry["licence"] for entry in bundle.header.provenance["corpora"]}
    assert named["CLINC150"] == "CC BY 3.0"
    assert len(named) == 7


def test_a_missing_set_is_named(tiny_sets: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"sentiment_semeval_train\.csv is missing"):
        train_default(tmp_path, tmp_path / "out.npz")


def test_an_operator_s_label_overrides_a_public_one() -> None:
    public = Corpus(
        name="public",
        licence="free",
        examples=(
            Example(text="Sick!", task="sentiment", label="negative"),
            Example(text="Sick!", task="intent", label="complaint"),
        ),
    )
    own = Corpus(
        name="own",
        licence="own",
        examples=(Example(text="sick!", task="sentiment", label="positive"),),
    )
    left, added = merged([public], own)
    assert [(e.task, e.label) for e in left.examples] == [("intent", "complaint")]
    assert [(e.label, e.weight > 1) for e in added.examples] == [("positive", True)]


@pytest.fixture
def taught(tmp_path: Path) -> Bundle:
    """The shipped model after an operator's own labels for sentiment and a topic."""
    labels, out = tmp_path / "own.csv", tmp_path / "own.npz"
    rows = [f"the gizmo zorped {at} times,sentiment,negative" for at in range(12)]
    rows += [f"gizmo blinked {at} times,topic,gizmo" for at in range(3)]
    labels.write_text("\n".join(["text,task,label", *rows]), encoding="utf-8")
    report = train_labels(labels, out)
    made = load(out)
    assert report.version == made.version
    assert str(report) == f"{out}: model {made.version}, learnt from 12 sentiment, 3 topic labels"
    return made


def test_an_operator_teaches_the_judge_new_words(taught: Bundle) -> None:
    (found,) = TrainedClassifier(taught, {}).classify([a_mention(text="mine zorped", lang="en")])
    assert found.sentiment.value == "negative"
    assert "zorped" in found.sentiment.reasons
    assert [(entry.name, entry.texts) for entry in taught.header.learnt] == [("gizmo", 3)]


def test_what_an_operator_does_not_teach_stays(
    taught: Bundle, shipped: Bundle, spoken: list[Example]
) -> None:
    before, after = TrainedClassifier(shipped, {}), TrainedClassifier(taught, {})
    texts = [example.text for example in spoken]
    for task in ("intent", "spam"):
        np.testing.assert_allclose(
            after.probabilities(texts, task), before.probabilities(texts, task), atol=0.05
        )
    was, now = (
        evaluate(classifier, spoken, "sentiment").macro_recall for classifier in (before, after)
    )
    assert now >= was - 0.1


def test_an_operator_teaches_a_task_of_two_labels(tmp_path: Path) -> None:
    labels = tmp_path / "own.csv"
    rows = [f"blorp parade number {at},spam,spam" for at in range(8)]
    labels.write_text("\n".join(["text,task,label", *rows]), encoding="utf-8")
    train_labels(labels, tmp_path / "own.npz")
    classifier = TrainedClassifier(load(tmp_path / "own.npz"), {})
    blorp, plain = classifier.classify(
        [a_mention(text=text, lang="en") for text in ("blorp parade today", "where is my order")]
    )
    assert (blorp.spam.value, plain.spam.value) == ("spam", "ham")
    assert "blorp" in blorp.spam.reasons


def test_a_label_without_examples_is_refused() -> None:
    kept = tuple(e for e in seed().examples if e.label != "praise")
    with pytest.raises(BadLabels, match="intent 'praise' has 0 examples"):
        train([Corpus(name="x", licence="x", examples=kept)], bits=10)


def test_our_own_sentences_teach_every_label() -> None:
    taught = {(e.task, e.label) for e in seed().examples}
    assert taught == {(task, label) for task, labels in LABELS.items() for label in labels}


def test_no_test_sentence_is_taught(spoken: list[Example], written_last: list[Example]) -> None:
    taught = {normalise(e.text) for e in seed().examples}
    assert not taught & {normalise(e.text) for e in [*spoken, *written_last]}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shipped_model_can_be_made_again(
    public_sets: Path, shipped: Bundle, tmp_path: Path
) -> None:
    made = train_default(public_sets, tmp_path / "again.npz")
    if made.header.provenance == shipped.header.provenance:
        for name, array in shipped.arrays.items():
            np.testing.assert_allclose(
                made.arrays[name].astype(float), array.astype(float), atol=2e-2
            )
    else:
        # another release of scikit-learn or numpy: the figures are held by test_quality
        assert made.header.provenance["corpora"] == shipped.header.provenance["corpora"]
