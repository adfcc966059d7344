"""A batch at once is the same as a mention at a time, and as what is meant by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.features import token_cache
from classifier.labelling.topics import Topic, prototypes
from classifier.labelling.trained_classifier import TASKS, TrainedClassifier
from classifier.model.bundle import Bundle
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.source import Simulator
from earshot.domain import Classification, Label, Mention
from tests.builders import a_mention, an_author
from tests.classifier.reference import Reference
from tests.classifier.texts import any_text

TOPICS = [
    Topic(name="checkout", description="paying, cards", examples=("checkout keeps failing",)),
    Topic(name="delivery", description="parcels", examples=("my parcel is late",)),
    Topic(name="outage", description="the app is down"),
]
ROUNDED = 0.5e-4 + 1e-6


@pytest.fixture(scope="module")
def classifier(shipped: Bundle) -> TrainedClassifier:
    return TrainedClassifier(shipped, {"acme": TOPICS})


@pytest.fixture(scope="module")
def reference(shipped: Bundle) -> Reference:
    return Reference(shipped, prototypes(TOPICS, shipped))


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> list[Mention]:
    """What simulated people wrote, in four languages."""
    config = SimulatorConfig(rate=0, count=3_000, batch=3_000, backlog=0)
    world = Simulator(config, tmp_path_factory.mktemp("world") / "store")
    found = world.poll("p0", None).posts
    world.close()
    return [a_mention(text=p.text, lang=p.lang, author=p.author) for p in found]


def _parts(classification: Classification) -> dict[str, tuple[Label, ...]]:
    tasks: dict[str, tuple[Label, ...]] = {task: (getattr(classification, task),) for task in TASKS}
    return tasks | {"topic": classification.topics}


def _assert_meant(
    classifier: TrainedClassifier, reference: Reference, texts: Sequence[str]
) -> None:
    judged = classifier.classify([a_mention(text=text, lang="en") for text in texts])
    for text, classification in zip(texts, judged, strict=True):
        expected = reference.labels(text)
        for task, labels in _parts(classification).items():
            assert [label.value for label in labels] == [e.value for e in expected[task]]
            for label, meant in zip(labels, expected[task], strict=True):
                assert label.confidence == pytest.approx(meant.confidence, abs=ROUNDED)
                assert label.reasons == meant.reasons, text


def test_posts_are_judged_as_is_meant(
    classifier: TrainedClassifier, reference: Reference, posts: list[Mention]
) -> None:
    texts = list(dict.fromkeys(post.text for post in posts))[:1_000]
    _assert_meant(classifier, reference, texts)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(any_text.map(lambda text: text[:80]), max_size=5))
def test_any_text_is_judged_as_is_meant(
    classifier: TrainedClassifier, reference: Reference, texts: list[str]
) -> None:
    _assert_meant(classifier, reference, texts)


def test_posts_are_judged_together_as_one_by_one(
    classifier: TrainedClassifier, posts: list[Mention]
) -> None:
    together = classifier.classify(posts)
    assert together == [found for post in posts for found in classifier.classify([post])]


@settings(max_examples=20, deadline=None)
@given(cuts=st.sets(st.integers(0, 600), max_size=6))
def test_however_posts_are_grouped_they_are_judged_alike(
    classifier: TrainedClassifier, posts: list[Mention], cuts: set[int]
) -> None:
    some = posts[:600]
    ends = [*sorted(cuts), len(some)]
    grouped = [
        found
        for begin, end in zip([0, *ends], ends, strict=False)
        for found in classifier.classify(some[begin:end])
    ]
    assert grouped == classifier.classify(some)


def test_a_judge_that_forgets_answers_as_one_that_remembers(
    classifier: TrainedClassifier,
    shipped: Bundle,
    posts: list[Mention],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(token_cache, "MOST_WORDS", 50)
    forgetful = TrainedClassifier(shipped, {"acme": TOPICS})
    batches = [posts[at : at + 100] for at in range(0, 1_000, 100)]
    for batch in batches:
        assert forgetful.classify(batch) == classifier.classify(batch)
    alone = [a_mention(text=f"word{n}", author=an_author()) for n in range(200)]
    assert forgetful.classify(alone) == classifier.classify(alone)
    assert forgetful.classify([]) == []


def test_memory_of_words_is_bounded(shipped: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_cache, "MOST_WORDS", 1_000)
    classifier = TrainedClassifier(shipped, {"acme": TOPICS})
    for step in range(20):
        classifier.classify([a_mention(text=f"word{step}x{n}", lang="en") for n in range(300)])
        assert len(classifier._token_cache.vocabulary.words) <= 1_301
