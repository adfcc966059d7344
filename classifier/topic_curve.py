"""How likely a topic fits, from how like the text is: the curve, fitted on public sets.

No brand has labels on its first day, so brands are played: some intents of a public set are
its topics, with a few sentences each as all that is known of them. Other sentences of these
intents, sentences of intents that the brand doesn't know, and tweets about anything are its
posts. Whether the nearest topic is the right one, as a function of its cosine, is the curve.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from classifier.bundle import Bundle, TopicCurve
from classifier.features import grams
from classifier.scoring import Floats, Table, document_sums, token_scores
from classifier.text import normalise
from classifier.topics import Topic, prototypes

THRESHOLD = 0.4
"""A topic is given from this probability on: the listener sees it, and can take it away."""

_BRANDS = 80
_TOPICS = 7
_KNOWN = (1, 2, 4)
_POSTS_PER_TOPIC = 8
_POSTS_BESIDES = 60
_LEAST_TEXTS = max(_KNOWN) + _POSTS_PER_TOPIC

Posts = list[tuple[str, str]]


def fit_curve(
    bundle: Bundle,
    sets: Sequence[Mapping[str, Sequence[str]]],
    besides: Sequence[str],
    *,
    seed: int,
) -> TopicCurve:
    """The curve for the n-grams of `bundle`.

    Each of `sets` has the texts of each intent; `besides` are texts without any topic. Raises
    ValueError when a set has fewer than twice as many intents as a brand is given.
    """
    chance = random.Random(seed)  # noqa: S311 # a reproducible choice, not a secret
    likeness: list[float] = []
    right: list[bool] = []
    for played in range(_BRANDS):
        topics, posts = _brand(sets[played % len(sets)], besides, chance)
        cosines = _cosines(bundle, topics, [text for text, _ in posts])
        nearest = cosines.argmax(axis=1).tolist()
        likeness += cosines.max(axis=1).tolist()
        right += [topics[at].name == name for at, (_, name) in zip(nearest, posts, strict=True)]
    fitted = LogisticRegression(C=1e4).fit(np.asarray(likeness)[:, None], right)
    return TopicCurve(
        slope=round(float(fitted.coef_[0, 0]), 3),
        offset=round(float(fitted.intercept_[0]), 3),
        threshold=THRESHOLD,
    )


def _brand(
    texts: Mapping[str, Sequence[str]], besides: Sequence[str], chance: random.Random
) -> tuple[list[Topic], Posts]:
    """A played brand: its topics, and posts with the name of their topic or an empty one."""
    names = sorted(name for name, some in texts.items() if len(some) >= _LEAST_TEXTS)
    if len(names) < 2 * _TOPICS:
        raise ValueError(
            f"a set has {len(names)} intents of {_LEAST_TEXTS} texts; {2 * _TOPICS} are needed"
        )
    chosen = chance.sample(names, 2 * _TOPICS)
    known = chance.choice(_KNOWN)
    topics: list[Topic] = []
    posts: Posts = []
    for name in chosen[:_TOPICS]:
        some = chance.sample(list(texts[name]), known + _POSTS_PER_TOPIC)
        topics.append(Topic(name=name, examples=tuple(some[:known])))
        posts += [(text, name) for text in some[known:]]
    for name in chosen[_TOPICS:]:
        posts += [(text, "") for text in chance.sample(list(texts[name]), _POSTS_PER_TOPIC)]
    posts += [(text, "") for text in chance.sample(list(besides), _POSTS_BESIDES)]
    return topics, posts


def _cosines(bundle: Bundle, topics: Sequence[Topic], texts: Sequence[str]) -> Floats:
    batch = grams([normalise(text) for text in texts], bundle.header.bits)
    squares = np.square(bundle.idf.astype(np.float32))[:, None]
    norms = np.sqrt(document_sums(batch, token_scores(batch, Table(squares))))
    sums = document_sums(batch, token_scores(batch, prototypes(topics, bundle).table))
    return sums / np.maximum(norms, np.float32(1e-9))
