"""From scores to labels: the likeliest value, how sure it is, and which tokens spoke for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.features.ngrams import Grams, Ints
from classifier.features.scoring import Floats, softmax, strongest
from earshot.domain import Label

MAX_REASONS = 3
MAX_TOPICS = 3
_DIGITS = 4

Words = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Span:
    """Where a task's labels stand among the columns of the table.

    `quiet` is the label of a text without a word.
    """

    labels: tuple[str, ...]
    first: int
    intercepts: Floats
    quiet: int

    @property
    def columns(self) -> slice:
        return slice(self.first, self.first + len(self.labels))

    def shares(self, scores: Floats) -> Floats:
        """(texts, labels): the probability of each label."""
        return softmax(scores[:, self.columns] + self.intercepts)


@dataclass(frozen=True, slots=True)
class Choice:
    """One label for each text of a batch: which, its probability, and each token's say for it.

    Where `given` is False the text gets none.
    """

    label: Ints
    share: Floats
    lead: Floats
    given: NDArray[np.bool_]


def of_task(batch: Grams, per_token: Floats, scores: Floats, span: Span) -> Choice:
    """The likeliest label of each text for one task."""
    shares = span.shares(scores)
    wordless = np.bincount(batch.document, minlength=len(shares)) == 0
    best = np.where(wordless, span.quiet, shares.argmax(axis=1))
    mine = per_token[:, span.columns]
    count = len(span.labels)
    own = mine[np.arange(len(mine)), best[batch.document]]
    total = sum(mine.T, np.zeros(len(mine), np.float32))  # numpy's own is slow along short rows
    # a word speaks for a label by what it adds beyond its mean over the other labels
    lead = (own * count - total) / max(count - 1, 1)
    share = shares[np.arange(len(shares)), best]
    return Choice(best, share, lead, np.ones(len(shares), np.bool_))


def of_topics(batch: Grams, per_token: Floats, shares: Floats, threshold: float) -> list[Choice]:
    """The likeliest topic of each text, the next, and so on, the earlier of equals."""
    choices = []
    order = np.argsort(-shares, axis=1, kind="stable")[:, :MAX_TOPICS]
    for topic in order.T:
        share = shares[np.arange(len(shares)), topic]
        given = share >= threshold
        if not given.any():
            break
        said = per_token[np.arange(len(per_token)), topic[batch.document]]
        choices.append(Choice(topic, share, np.where(given[batch.document], said, 0), given))
    return choices


def reason_tokens(batch: Grams, choices: Sequence[Choice]) -> Ints:
    """(choices x texts, count): the tokens that speak most for each choice; -1 for none."""
    documents = [batch.document + at * batch.texts for at in range(len(choices))]
    picked = strongest(
        np.concatenate([choice.lead for choice in choices]),
        np.concatenate(documents),
        len(choices) * batch.texts,
        MAX_REASONS,
    )
    return np.where(picked < 0, -1, picked % max(len(batch.word), 1))


def task_labels(choice: Choice, span: Span, trust: Floats, reasons: Words) -> list[Label]:
    """The labels of one task. `trust` says how much of its lead over guessing each keeps."""
    guess = 1 / len(span.labels)
    confidence = guess + (choice.share.astype(np.float64) - guess) * trust
    return [
        Label(value=span.labels[label], confidence=sure, reasons=why)
        for label, sure, why in zip(
            choice.label.tolist(), confidence.round(_DIGITS).tolist(), reasons, strict=True
        )
    ]


def together(shares: Floats, columns: Sequence[int], trust: Floats) -> list[float]:
    """The probability of any of the labels `columns` of each text.

    That one of several labels is right is a question with two answers, so what is not trusted
    goes back to a half.
    """
    share = shares[:, columns].sum(axis=1, dtype=np.float64)
    found: list[float] = np.clip(0.5 + (share - 0.5) * trust, 0, 1).round(_DIGITS).tolist()
    return found


def topic_labels(
    choices: Sequence[Choice], names: Sequence[str], reasons: Sequence[Words], texts: int
) -> list[tuple[Label, ...]]:
    """The topics of each text, likeliest first."""
    labels: list[tuple[Label, ...]] = [()] * texts
    for choice, why in zip(choices, reasons, strict=True):
        confidence = choice.share.astype(np.float64).round(_DIGITS)
        at = np.flatnonzero(choice.given)
        for text, topic, sure in zip(
            at.tolist(), choice.label[at].tolist(), confidence[at].tolist(), strict=True
        ):
            label = Label(value=names[topic], confidence=sure, reasons=why[text])
            labels[text] = (*labels[text], label)
    return labels
