"""Which of a brand's topics a text speaks of, without any labelled text.

A brand describes a topic in a sentence and gives a few examples. They are fitted by kernel
ridge regression (Saunders et al. 1998) over tf-idf vectors: a topic scores about 1 on its own
texts and 0 on the other topics'. An example counts in full beside others that are unlike it,
so that examples in several languages don't wash each other out, as they do in a mean.

What the examples name is also known by its other names (`classifier.labelling.thesaurus`). A curve
fitted on public sets turns scores into probabilities. Texts that an operator labelled join as
one more example, which weighs as much as they are many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.features.ngrams import Ints
from classifier.features.scoring import Floats, Table
from classifier.features.text_vectors import vectors
from classifier.labelling.thesaurus import thesaurus
from classifier.model.bundle import Bundle, TopicCurve

COMMON = 2.0
"""What is taken off each idf: n-grams in more than a third of the texts name no topic."""

OTHER_NAMES = 0.15
"""How much each other name of what an example names adds to it. The example itself has 1."""

RIDGE = 0.3
"""How much is lost on the examples for a shorter, so a more general, vector."""

LEAST_SCORE = 0.01
"""Scores below it, zero and less included, are all the same to the curve: nothing is alike."""


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

    `table` scores like any other (`classifier.features.scoring`): the sum of a text's tokens,
    divided by the text's norm, is its score for each topic, in the order of `names`.
    """

    names: tuple[str, ...]
    table: Table


def prototypes(topics: Sequence[Topic], bundle: Bundle) -> Prototypes:
    """The prototypes of `topics` over the n-grams of `bundle`.

    Takes memory for the square of the number of texts. Raises ValueError when two topics have
    one name.
    """
    names = tuple(topic.name for topic in topics)
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"topic {min(twice)!r} is defined twice for one brand; rename one")
    weight = np.maximum(bundle.idf.astype(np.float64) - COMMON, 0)
    used, rows = _described(topics, weight)
    owners = [at for at, topic in enumerate(topics) for _ in topic.texts]
    counts = [1.0] * len(owners)
    taught = [at for at, entry in enumerate(bundle.header.learnt) if entry.name in names]
    if taught:
        used, rows = _with_means(used, rows, _means(bundle, taught, weight))
        owners += [names.index(bundle.header.learnt[at].name) for at in taught]
        counts += [float(bundle.header.learnt[at].texts) for at in taught]
    fitted = _ridge(_unit(rows), np.eye(len(names))[owners], np.asarray(counts))
    return Prototypes(names, _compact(used, fitted * weight[used, None], len(weight)))


def centroid(texts: Iterable[str], idf: Floats) -> Floats:
    """The mean of the texts' tf-idf vectors, each of length 1; zeros without any n-gram."""
    some = list(texts)
    found = vectors(some, idf)
    total = np.bincount(found.column, found.value, len(idf))
    return (total / max(len(some), 1)).astype(np.float32)


def probabilities(scores: Floats, curve: TopicCurve) -> Floats:
    """(texts, topics): how likely each topic fits a text that has these scores.

    A higher score of the same text is never less likely. A brand's only topic has no next
    one to be ahead of, and is taken to be level with it.
    """
    heights = np.log(np.maximum(scores, np.float32(LEAST_SCORE)))
    ahead = np.zeros_like(heights)
    if heights.shape[1] > 1:
        best = heights.argmax(axis=1)[:, None]
        two = np.partition(heights, -2, axis=1)
        ahead = heights - two[:, -1:]
        np.put_along_axis(ahead, best, two[:, -1:] - two[:, -2:-1], axis=1)
    shares: Floats = 1 / (1 + np.exp(-(curve.slope * heights + curve.lead * ahead + curve.offset)))
    return shares


def _described(topics: Sequence[Topic], weight: Floats) -> tuple[Ints, Floats]:
    """The columns that the topics' texts have, and a row over these for each text.

    A row is the text with the other names of what it names. A thing that several topics name
    says less about each: they share it.
    """
    texts = [text for topic in topics for text in topic.texts]
    owners = [at for at, topic in enumerate(topics) for _ in topic.texts]
    known = thesaurus()
    met = [sorted(known.met(text)) for text in texts]
    named = Counter(thing for things in met for thing in things)
    by_topic = Counter(
        (owner, thing) for owner, things in zip(owners, met, strict=True) for thing in things
    )
    own = vectors(texts, weight)
    entries = [(own.vector, own.column, own.value)]
    place = {thing: at for at, thing in enumerate(sorted(named))}
    sizes = [len(known.things[thing]) for thing in place]
    ends = np.cumsum(sizes, dtype=np.intp)
    words = vectors([word for thing in place for word in known.things[thing]], weight)
    for row, (owner, things) in enumerate(zip(owners, met, strict=True)):
        for thing in things:
            end = int(ends[place[thing]])
            column, value = words.of(end - len(known.things[thing]), end)
            share = OTHER_NAMES * by_topic[owner, thing] / named[thing]
            entries.append((np.full(len(column), row), column, share * value))
    row_at, column, value = (np.concatenate(part) for part in zip(*entries, strict=True))
    used, at = np.unique(column, return_inverse=True)
    cells = np.bincount(row_at * len(used) + at, value, len(texts) * len(used))
    return used, cells.astype(np.float64).reshape(len(texts), len(used))


def _means(bundle: Bundle, taught: Sequence[int], weight: Floats) -> Floats:
    """The means of the labelled texts of the topics `taught`, weighted again."""
    idf = bundle.idf.astype(np.float64)
    means: Floats = bundle.topics[taught] * (weight / np.where(idf > 0, idf, 1))
    return means


def _with_means(used: Ints, rows: Floats, means: Floats) -> tuple[Ints, Floats]:
    """`rows` over the columns `used`, and `means` over all, over the columns of both."""
    joint = np.union1d(used, np.flatnonzero(means.any(axis=0)))
    wide = np.zeros((len(rows), len(joint)))
    wide[:, np.searchsorted(joint, used)] = rows
    return joint, np.concatenate([wide, means[:, joint]])


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _ridge(rows: Floats, targets: Floats, counts: Floats) -> Floats:
    """(columns of `rows`, columns of `targets`): the vectors that give `targets` best.

    Row i counts `counts[i]` times. Solved in the dual, which is small: rows are few.
    """
    dual = np.linalg.solve(rows @ rows.T + np.diag(RIDGE / counts), targets)
    solved: Floats = rows.T @ dual
    return solved


def _compact(used: Ints, columns: Floats, size: int) -> Table:
    """A table of `size` columns with one shared row of zeros for all that are not `used`."""
    row = np.zeros(size, np.int32)
    row[used] = np.arange(1, len(used) + 1)
    weights = np.zeros((len(used) + 1, columns.shape[1]), np.float32)
    weights[1:] = columns
    return Table(weights, row)
