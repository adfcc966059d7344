"""The judge: mentions in, classifications out, by a trained model.

One pass over a batch: hash the n-grams once, score every task at once, read labels and
reasons off the same numbers. Nothing is drawn from one mention to judge another, so that a
batch is judged exactly as its mentions one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from classifier.brands import (
    NO_LANGUAGES,
    BrandLanguages,
    LanguagesByBrand,
    TopicsByBrand,
    places_by_brand,
    versioned,
)
from classifier.bundle import Bundle
from classifier.features import Grams, Ints, grams
from classifier.language import UNKNOWN
from classifier.reasons import words
from classifier.scoring import Floats, Table, document_sums, softmax, strongest, token_scores
from classifier.text import normalise
from classifier.topics import Prototypes, probabilities, prototypes
from classifier.urgency import urgency
from earshot.domain import Classification, Intent, Label, Mention, Sentiment

TASKS = ("sentiment", "intent", "spam")
_QUIET = {"sentiment": Sentiment.NEUTRAL, "intent": Intent.REMARK, "spam": "ham"}
"""What a text without a word is called, with the model's own share for it before reading."""

MODEL_LANGUAGE = "en"
FOREIGN_TRUST = 0.4
"""How much of its lead over guessing a label keeps in a language that the model was not taught.

Set from a measurement (see the model card): there it is right about that much less often.
"""

MAX_TOPICS = 3
MAX_REASONS = 3
_AT_ONCE = 512
_DIGITS = 4


class Classifier(Protocol):
    """Whoever judges mentions: one classification for each, in their order.

    `version` names what the answers depend on: the model, and the brands' topics and
    languages. In one release of the code, equal versions give equal answers.
    """

    @property
    def version(self) -> str: ...

    def classify(self, mentions: Sequence[Mention]) -> Sequence[Classification]: ...


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a task's labels stand among the columns of the table."""

    labels: tuple[str, ...]
    first: int
    intercepts: Floats
    quiet: int

    @property
    def columns(self) -> slice:
        return slice(self.first, self.first + len(self.labels))


class Judge:
    """The trained classifier of a bundle, for the brands whose topics it is given.

    A brand without topics gets none. Raises ValueError when the bundle lacks a task, when a
    brand names a topic twice, or for an unknown language.
    """

    def __init__(
        self,
        bundle: Bundle,
        topics_by_brand: TopicsByBrand,
        languages_by_brand: LanguagesByBrand = NO_LANGUAGES,
    ) -> None:
        self.version = versioned(bundle.version, topics_by_brand, languages_by_brand)
        self._bits = bundle.header.bits
        self._spans = _spans(bundle)
        idf = bundle.idf.astype(np.float32)
        weights = np.empty((len(idf), 1 + bundle.weights.shape[1]), np.float32)
        weights[:, 0] = np.square(idf)  # the first column adds up to the square of the norm
        np.multiply(bundle.weights, idf[:, None], out=weights[:, 1:], dtype=np.float32)
        self._table = Table(weights)
        self._curve = bundle.header.topic_curve
        self._topics = {
            brand: prototypes(topics, bundle) for brand, topics in topics_by_brand.items() if topics
        }
        self._languages = BrandLanguages(languages_by_brand)

    def classify(self, mentions: Sequence[Mention]) -> list[Classification]:
        """One classification for each mention, in order. Any text is accepted."""
        judged: dict[int, Classification] = {}
        for brand, places in places_by_brand(mentions).items():
            for begin in range(0, len(places), _AT_ONCE):
                some = places[begin : begin + _AT_ONCE]
                batch = [mentions[at] for at in some]
                judged.update(zip(some, self._batch(brand, batch), strict=True))
        return [judged[at] for at in range(len(mentions))]

    def probabilities(self, texts: Sequence[str], task: str) -> Floats:
        """(texts, labels of `task`): the model's own probabilities, whatever the language.

        Raises KeyError for a task that is not one of `TASKS`.
        """
        span = dict(zip(TASKS, self._spans, strict=True))[task]
        batch = grams([normalise(text) for text in texts], self._bits)
        sums = document_sums(batch, token_scores(batch, self._table))
        return _shares(sums * _scale(sums), span)

    def _batch(self, brand: str, mentions: list[Mention]) -> list[Classification]:
        texts = [normalise(mention.text) for mention in mentions]
        batch = grams(texts, self._bits)
        per_token = token_scores(batch, self._table)
        sums = document_sums(batch, per_token)
        scale = _scale(sums)
        said = [mention.lang for mention in mentions]
        languages = self._languages.of(brand).labels(said, texts)
        trust = [_trust(label) for label in languages]
        sentiments, intents, spams = (
            _labels(batch, per_token, sums * scale, span, trust) for span in self._spans
        )
        topics = self._topics_of(brand, batch, scale)
        return [
            Classification(
                model=self.version,
                lang=languages[at],
                sentiment=sentiments[at],
                intent=intents[at],
                urgency=urgency(
                    texts[at],
                    intents[at],
                    sentiments[at],
                    reach=mention.author.reach,
                    spam=spams[at].value == "spam",
                ),
                spam=spams[at],
                topics=topics[at],
            )
            for at, mention in enumerate(mentions)
        ]

    def _topics_of(self, brand: str, batch: Grams, scale: Floats) -> list[tuple[Label, ...]]:
        known = self._topics.get(brand)
        if known is None:
            return [()] * batch.tokens.texts
        per_token = token_scores(batch, known.table)
        shares = probabilities(document_sums(batch, per_token) * scale, self._curve)
        return _topic_labels(batch, per_token, shares, known, self._curve.threshold)


def _spans(bundle: Bundle) -> tuple[_Span, ...]:
    spans, first = {}, 1
    for head in bundle.header.heads:
        intercepts = np.asarray(head.intercepts, np.float32)
        quiet = head.labels.index(_QUIET[head.task]) if head.task in _QUIET else 0
        spans[head.task] = _Span(head.labels, first, intercepts, quiet)
        first += len(head.labels)
    if missing := [task for task in TASKS if task not in spans]:
        raise ValueError(f"the model {bundle.version} has no task {missing[0]!r}; train it again")
    return tuple(spans[task] for task in TASKS)


def _scale(sums: Floats) -> Floats:
    """One over each text's norm, whose square the first column adds up."""
    scale: Floats = 1 / np.sqrt(np.maximum(sums[:, :1], np.float32(1e-9)))
    return scale


def _shares(scores: Floats, span: _Span) -> Floats:
    return softmax(scores[:, span.columns] + span.intercepts)


def _trust(language: Label) -> float:
    """How far the labels may be believed: fully for surely English text."""
    if language.value == UNKNOWN:
        english = 0.5
    elif language.value == MODEL_LANGUAGE:
        english = language.confidence
    else:
        english = 1 - language.confidence
    return english + (1 - english) * FOREIGN_TRUST


def _labels(
    batch: Grams, per_token: Floats, scores: Floats, span: _Span, trust: Sequence[float]
) -> list[Label]:
    """The likeliest label of each text for one task, with the words that spoke for it."""
    shares = _shares(scores, span)
    document = batch.tokens.document
    wordless = np.bincount(document, minlength=len(shares)) == 0
    best = np.where(wordless, span.quiet, shares.argmax(axis=1))
    mine = per_token[:, span.columns]
    count = len(span.labels)
    # a word speaks for a label by what it adds beyond its mean over the other labels
    own = mine[np.arange(len(mine)), best[document]]
    lead = (own * count - mine.sum(axis=1)) / max(count - 1, 1)
    picked = strongest(lead, document, batch.tokens.texts, MAX_REASONS)
    guess = 1 / count
    return [
        Label(
            value=span.labels[label],
            confidence=round(guess + (share - guess) * belief, _DIGITS),
            reasons=reasons,
        )
        for label, share, belief, reasons in zip(
            best.tolist(),
            shares[np.arange(len(shares)), best].tolist(),
            trust,
            words(batch, picked),
            strict=True,
        )
    ]


def _topic_labels(
    batch: Grams, per_token: Floats, shares: Floats, known: Prototypes, threshold: float
) -> list[tuple[Label, ...]]:
    """The topics of each text above the threshold, likeliest first, the earlier of equals."""
    labels: list[tuple[Label, ...]] = [()] * len(shares)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :MAX_TOPICS]
    for rank in range(order.shape[1]):
        topic = order[:, rank]
        share = shares[np.arange(len(shares)), topic]
        if not (share >= threshold).any():
            break
        picked = strongest(
            _column_of(batch, per_token, topic), batch.tokens.document, len(shares), MAX_REASONS
        )
        reasons = words(batch, np.where((share >= threshold)[:, None], picked, -1))
        for at in np.flatnonzero(share >= threshold).tolist():
            confidence = round(float(share[at]), _DIGITS)
            label = Label(value=known.names[topic[at]], confidence=confidence, reasons=reasons[at])
            labels[at] = (*labels[at], label)
    return labels


def _column_of(batch: Grams, per_token: Floats, topic: Ints) -> Floats:
    """What each token says for the topic of its own text."""
    column: Floats = per_token[np.arange(len(per_token)), topic[batch.tokens.document]]
    return column
