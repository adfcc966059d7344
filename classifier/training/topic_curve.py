"""How likely a topic fits, from a text's scores: the curve, fitted on public sets.

No brand has labels on its first day, so brands are played: some intents of a public set are
its topics, with a few sentences each as all that is known of them. Other sentences of these
intents, sentences of intents that the brand doesn't know, and tweets about anything are its
posts. Whether the best topic is the right one, as a function of the scores, is the curve.

Real topics are broader than one intent, real posts say other things besides, and examples
come in several languages. So a topic is one, two or four intents that are alike; half of the
posts have part of a tweet before or after them; and half of the brands give some of their
examples in another language. That language is played as well: by other letters.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from classifier.features.ngrams import grams
from classifier.features.scoring import Floats, Table, WordScores, document_sums, token_scores
from classifier.features.text_vectors import vectors
from classifier.labelling.topics import LEAST_SCORE, Topic, prototypes
from classifier.model.bundle import Bundle, TopicCurve
from classifier.text.normalization import normalise

THRESHOLD = 0.3
"""A topic is given from this probability on: there, four of five given to played brands fit.

The listener sees it, and can take it away.
"""

_BRANDS = 80
_TOPICS = 7
_WIDTHS = (1, 2, 4)
_KNOWN = (1, 2, 4, 8)
_OWN_LANGUAGE = (0.25, 0.5, 0.75)
_POSTS_PER_TOPIC = 8
_POSTS_BESIDES = 60
_BESIDE_A_POST = range(2, 9)
_LEAST_TEXTS = max(_KNOWN) + _POSTS_PER_TOPIC
_LEAST_INTENTS = 2 * _TOPICS
_READ_OF_AN_INTENT = 60
_OTHER_LETTERS = str.maketrans("aeioubcdfghjklmnpqrstvwxyz", "eioualnrstdmcpbgvwhfjkzxqy")

Posts = list[tuple[str, str]]
Intents = Mapping[str, Sequence[str]]


def fit_curve(
    bundle: Bundle, sets: Sequence[Intents], besides: Sequence[str], *, seed: int
) -> TopicCurve:
    """The curve for the n-grams of `bundle`.

    Each of `sets` has the texts of each intent; `besides` are texts without any topic. Raises
    ValueError when a set has fewer than twice as many intents as a brand has topics.
    """
    chance = random.Random(seed)  # noqa: S311 # a reproducible choice, not a secret
    alike = [_alike(bundle, texts) for texts in sets]
    features: list[Floats] = []
    right: list[bool] = []
    for played in range(_BRANDS):
        at = played % len(sets)
        topics, posts = _brand(sets[at], alike[at], besides, chance)
        found = scores(bundle, topics, [text for text, _ in posts])
        best = found.argmax(axis=1).tolist()
        features.append(_features(found))
        right += [topics[at].name == name for at, (_, name) in zip(best, posts, strict=True)]
    fitted = LogisticRegression(C=1e4).fit(np.concatenate(features), right)
    slope, lead = fitted.coef_[0].tolist()
    return TopicCurve(
        slope=round(slope, 3),
        lead=round(lead, 3),
        offset=round(float(fitted.intercept_[0]), 3),
        threshold=THRESHOLD,
    )


def scores(bundle: Bundle, topics: Sequence[Topic], texts: Sequence[str]) -> Floats:
    """(texts, topics): what the prototypes of `topics` score on `texts`."""
    batch = grams([normalise(text) for text in texts], bundle.header.bits)
    squares = np.square(bundle.idf.astype(np.float32))[:, None]
    own, theirs = (
        document_sums(batch, token_scores(batch, WordScores(batch.vocabulary, table)))
        for table in (Table(squares), prototypes(topics, bundle).table)
    )
    return theirs / np.maximum(np.sqrt(own), np.float32(1e-9))


def _features(found: Floats) -> Floats:
    """What the curve reads of each text: the best score, and how far ahead of the next it is."""
    heights = np.log(np.maximum(np.sort(found, axis=1)[:, -2:], LEAST_SCORE))
    return np.stack([heights[:, 1], heights[:, 1] - heights[:, 0]], axis=1)


def _alike(bundle: Bundle, texts: Intents) -> dict[str, list[str]]:
    """For each intent with texts enough, the others from the most to the least like it."""
    names = sorted(name for name, some in texts.items() if len(some) >= _LEAST_TEXTS)
    if len(names) < _LEAST_INTENTS:
        raise ValueError(
            f"a set has {len(names)} intents of {_LEAST_TEXTS} texts; {_LEAST_INTENTS} are needed"
        )
    means = []
    for name in names:
        found = vectors(texts[name][:_READ_OF_AN_INTENT], bundle.idf)
        mean = np.bincount(found.column, found.value, len(bundle.idf))
        means.append((mean / np.linalg.norm(mean)).astype(np.float32))
    cosines = np.stack(means) @ np.stack(means).T
    order = np.argsort(-cosines, axis=1, kind="stable")
    return {
        name: [names[other] for other in row if other != at]
        for at, (name, row) in enumerate(zip(names, order.tolist(), strict=True))
    }


def _brand(
    texts: Intents, alike: Mapping[str, Sequence[str]], besides: Sequence[str],
    chance: random.Random,
) -> tuple[list[Topic], Posts]:  # fmt: skip
    """A played brand: its topics, and posts with the name of their topic or an empty one."""
    # a small set has no intents for broad topics
    width = chance.choice([w for w in _WIDTHS if w * (_TOPICS + 1) <= len(alike)])
    known = chance.choice(_KNOWN)
    own = max(1, round(known * chance.choice((1.0, 1.0, 1.0, *_OWN_LANGUAGE))))
    topics: list[Topic] = []
    posts: Posts = []
    for intents in _broad(alike, width, chance):
        pool = [text for intent in intents for text in texts[intent]]
        some = chance.sample(pool, known + _POSTS_PER_TOPIC)
        unknown = len(topics) == _TOPICS
        if not unknown:
            foreign = (text.lower().translate(_OTHER_LETTERS) for text in some[own:known])
            topics.append(Topic(name=intents[0], examples=(*some[:own], *foreign)))
        name = "" if unknown else intents[0]
        posts += [(_beside(text, besides, chance), name) for text in some[known:]]
    posts += [(text, "") for text in chance.sample(list(besides), _POSTS_BESIDES)]
    return topics, posts


def _broad(
    alike: Mapping[str, Sequence[str]], width: int, chance: random.Random
) -> list[list[str]]:
    """One more group than a brand has topics, of `width` intents each, none in two of them."""
    groups: list[list[str]] = []
    free = set(alike)
    for name in chance.sample(sorted(alike), len(alike)):
        if name in free and len(groups) <= _TOPICS:
            near = [other for other in alike[name] if other in free]
            groups.append([name, *near[: width - 1]])
            free.difference_update(groups[-1])
    return groups


def _beside(text: str, besides: Sequence[str], chance: random.Random) -> str:
    """The text as it is, or with a few words of another before or after it."""
    words = chance.choice(besides).split()
    count = chance.choice(_BESIDE_A_POST)
    more = (f"{text} {' '.join(words[:count])}", f"{' '.join(words[-count:])} {text}")
    return chance.choice((text, text, *more))
