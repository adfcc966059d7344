"""Which of a brand's topics a text speaks of, without any labelled text.

A brand describes a topic in a sentence and gives a few examples. Both become one prototype:
the mean of their tf-idf vectors (Rocchio 1971). A text is as close to a topic as the cosine
between them says, and a curve fitted on public sets turns that into a probability. Texts that
an operator labelled are folded into the prototype with their number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.bundle import Bundle
from classifier.features import Grams, grams
from classifier.scoring import Floats, Table
from classifier.text import normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Something that a brand wants to tell apart, as its brand file describes it."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a topic needs a name, got an empty one")

    @property
    def texts(self) -> tuple[str, ...]:
        """All that is known of the topic: its name with the description, and each example."""
        return (f"{self.name.replace('_', ' ')} {self.description}".strip(), *self.examples)


@dataclass(frozen=True, slots=True)
class Prototypes:
    """A brand's topics, ready to be compared with texts.

    `table` scores like any other (`classifier.scoring`): the sum of a text's tokens divided
    by the text's norm is the cosine to each topic, in the order of `names`.
    """

    names: tuple[str, ...]
    table: Table


def prototypes(topics: Sequence[Topic], bundle: Bundle) -> Prototypes:
    """The prototypes of `topics` over the n-grams of `bundle`.

    Raises ValueError when two topics have one name.
    """
    names = tuple(topic.name for topic in topics)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"topic {min(twice)!r} is defined twice for one brand; rename one")
    bits = bundle.header.bits
    idf = bundle.idf.astype(np.float32)
    learnt = {entry.name: at for at, entry in enumerate(bundle.header.learnt)}
    columns = np.zeros((len(names), 1 << bits), np.float32)
    for at, topic in enumerate(topics):
        total = centroid(topic.texts, idf) * len(topic.texts)
        if topic.name in learnt:
            row = learnt[topic.name]
            total += bundle.topics[row].astype(np.float32) * bundle.header.learnt[row].texts
        columns[at] = _unit(total)
    return Prototypes(names, _compact(columns * idf))


def centroid(texts: Iterable[str], idf: Floats) -> Floats:
    """The mean of the texts' tf-idf vectors, each of length 1; zeros without any n-gram."""
    vectors = [
        _unit(_counts(grams([normalise(text)], _bits(idf)), len(idf)) * idf) for text in texts
    ]
    return np.mean(vectors, axis=0, dtype=np.float32) if vectors else np.zeros_like(idf)


def _bits(idf: Floats) -> int:
    return len(idf).bit_length() - 1


def _counts(batch: Grams, columns: int) -> Floats:
    """How often each n-gram occurs in a batch of one text."""
    times = np.bincount(batch.distinct, minlength=len(batch.whole))
    found = [(batch.whole, times), (batch.pair, None), (batch.denied, None)]
    found += [(part, np.repeat(times, sizes)) for part, sizes in batch.parts]
    return sum(
        (np.bincount(at, weights, minlength=columns) for at, weights in found),
        start=np.zeros(columns),
    ).astype(np.float32)


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length > 0 else vector


def _compact(columns: Floats) -> Table:
    """The same numbers with one shared row for all n-grams that no topic has."""
    used = np.flatnonzero(columns.any(axis=0))
    row = np.zeros(columns.shape[1], np.int32)
    row[used] = np.arange(1, len(used) + 1)
    weights = np.zeros((len(used) + 1, len(columns)), np.float32)
    weights[1:] = columns[:, used].T
    return Table(weights, row)
