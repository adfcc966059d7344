"""The classifier: mentions in, classifications out, by a trained model.

One pass over a batch: look its words up, score every task at once, read labels and reasons
off the same numbers. Nothing is drawn from one mention to judge another, so that a batch is
judged exactly as its mentions one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from classifier.features.ngrams import Grams, grams
from classifier.features.scoring import Floats, Table, document_sums, token_scores
from classifier.features.token_cache import Memory
from classifier.labelling.brand_topics import (
    NO_LANGUAGES,
    BrandLanguages,
    LanguagesByBrand,
    TopicsByBrand,
    places_by_brand,
    versioned,
)
from classifier.labelling.labels import (
    Choice,
    Span,
    of_task,
    of_topics,
    reason_tokens,
    task_labels,
    together,
    topic_labels,
)
from classifier.labelling.topics import probabilities, prototypes
from classifier.labelling.urgency import urgency
from classifier.model.bundle import Bundle
from classifier.text.language import UNKNOWN, is_said_to_be
from classifier.text.normalization import normalise
from earshot.domain import WANTING, Classification, Intent, Label, Mention, Sentiment

TASKS = ("sentiment", "intent", "spam")
_INTENT = TASKS.index("intent")
_QUIET = {"sentiment": Sentiment.NEUTRAL, "intent": Intent.REMARK, "spam": "ham"}
"""What a text without a word is called, with the model's own share for it before reading."""

MODEL_LANGUAGE = "en"
FOREIGN_TRUST = 0.4
"""How much of its lead over guessing a label keeps in a language that the model was not taught.

Set from a measurement (see the model card): there it is right about that much less often.
"""

_AT_ONCE = 1_000
_CHARACTERS_AT_ONCE = 2**18
"""How much is read in one pass. More gains nothing, and takes memory."""


class Classifier(Protocol):
    """Whoever judges mentions: one classification for each, in their order.

    `version` names what the answers depend on: the model, and the brands' topics and
    languages. In one release of the code, equal versions give equal answers.
    """

    @property
    def version(self) -> str: ...

    def classify(self, mentions: Sequence[Mention]) -> Sequence[Classification]: ...


class TrainedClassifier:
    """The trained classifier of a bundle, for the brands whose topics it is given.

    A brand without topics gets none. For use from one thread: it remembers words. Raises
    ValueError when the bundle lacks a task, when a brand names a topic twice, or for an
    unknown language.
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
        self._wanting = [
            at for at, label in enumerate(self._spans[_INTENT].labels) if label in WANTING
        ]
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
        self._token_cache = self._blank()

    def classify(self, mentions: Sequence[Mention]) -> list[Classification]:
        """One classification for each mention, in order. Any text is accepted."""
        judged: dict[int, Classification] = {}
        for brand, places in places_by_brand(mentions).items():
            texts = [normalise(mentions[at].text) for at in places]
            for begin, end in _portions(texts):
                some = places[begin:end]
                batch = [mentions[at] for at in some]
                found = self._batch(brand, batch, texts[begin:end])
                judged.update(zip(some, found, strict=True))
        return [judged[at] for at in range(len(mentions))]

    def probabilities(self, texts: Sequence[str], task: str) -> Floats:
        """(texts, labels of `task`): the model's own probabilities, whatever the language.

        Raises KeyError for a task that is not one of `TASKS`.
        """
        span = dict(zip(TASKS, self._spans, strict=True))[task]
        _, _, sums = self._read([normalise(text) for text in texts])
        return span.shares(sums * _scale(sums))

    def _blank(self) -> Memory:
        return Memory(self._table, {brand: known.table for brand, known in self._topics.items()})

    def _read(self, texts: Sequence[str]) -> tuple[Grams, Floats, Floats]:
        """The n-grams of normalised `texts`, with the tasks' scores by token and by text."""
        if self._token_cache.full:
            self._token_cache = self._blank()
        batch = grams(texts, self._bits, self._token_cache.vocabulary)
        per_token = token_scores(batch, self._token_cache.tasks)
        return batch, per_token, document_sums(batch, per_token)

    def _batch(
        self, brand: str, mentions: Sequence[Mention], texts: Sequence[str]
    ) -> list[Classification]:
        batch, per_token, sums = self._read(texts)
        scale = _scale(sums)
        scores = sums * scale
        choices = [of_task(batch, per_token, scores, span) for span in self._spans]
        tasks = len(choices)
        choices += self._topics_of(brand, batch, scale)
        words = self._token_cache.reasons.of(batch, reason_tokens(batch, choices))
        reasons = [words[at : at + len(texts)] for at in range(0, len(words), len(texts))]
        said = [mention.lang for mention in mentions]
        languages = self._languages.of(brand).labels(said, texts)
        trust = np.fromiter(map(_trust, languages), np.float64, len(languages))
        sentiments, intents, spams = (
            task_labels(choice, span, trust, why)
            for choice, span, why in zip(choices[:tasks], self._spans, reasons[:tasks], strict=True)
        )
        wanting = together(self._spans[_INTENT].shares(scores), self._wanting, trust)
        names = self._topics[brand].names if brand in self._topics else ()
        topics = topic_labels(choices[tasks:], names, reasons[tasks:], len(texts))
        alarming = self._token_cache.alarming(batch).tolist()
        return [
            Classification(
                model=self.version,
                lang=languages[at],
                sentiment=sentiments[at],
                intent=intents[at],
                urgency=urgency(
                    texts[at] if alarming[at] else "",
                    intents[at],
                    sentiments[at],
                    reach=mention.author.reach,
                    spam=spams[at].value == "spam",
                ),
                spam=spams[at],
                topics=topics[at],
                wants_answer=wanting[at],
                lang_known=_is_known(languages[at], said[at]),
            )
            for at, mention in enumerate(mentions)
        ]

    def _topics_of(self, brand: str, batch: Grams, scale: Floats) -> list[Choice]:
        words = self._token_cache.topics.get(brand)
        if words is None:
            return []
        per_token = token_scores(batch, words)
        shares = probabilities(document_sums(batch, per_token) * scale, self._curve)
        return of_topics(batch, per_token, shares, self._curve.threshold)


def _portions(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where to cut `texts`, so that no portion is large."""
    begin = characters = 0
    for at, text in enumerate(texts):
        characters += len(text)
        if at > begin and (at - begin == _AT_ONCE or characters > _CHARACTERS_AT_ONCE):
            yield begin, at
            begin, characters = at, len(text)
    if begin < len(texts):
        yield begin, len(texts)


def _spans(bundle: Bundle) -> tuple[Span, ...]:
    spans, first = {}, 1
    for head in bundle.header.heads:
        intercepts = np.asarray(head.intercepts, np.float32)
        quiet = head.labels.index(_QUIET[head.task]) if head.task in _QUIET else 0
        spans[head.task] = Span(head.labels, first, intercepts, quiet)
        first += len(head.labels)
    if missing := [task for task in TASKS if task not in spans]:
        raise ValueError(f"the model {bundle.version} has no task {missing[0]!r}; train it again")
    return tuple(spans[task] for task in TASKS)


def _scale(sums: Floats) -> Floats:
    """One over each text's norm, whose square the first column adds up."""
    scale: Floats = 1 / np.sqrt(np.maximum(sums[:, :1], np.float32(1e-9)))
    return scale


def _trust(language: Label) -> float:
    """How far the labels may be believed: fully for surely English text."""
    if language.value == UNKNOWN:
        english = 0.5
    elif language.value == MODEL_LANGUAGE:
        english = language.confidence
    else:
        english = 1 - language.confidence
    return english + (1 - english) * FOREIGN_TRUST


def _is_known(language: Label, said: str) -> bool:
    """Whether the model was taught the language: neither text nor platform says otherwise."""
    return language.value == MODEL_LANGUAGE and is_said_to_be(said, MODEL_LANGUAGE)
