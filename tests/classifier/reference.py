"""The trained judge once more, a mention at a time and a number at a time: what is meant.

Nothing is shared with `classifier.labelling.trained_classifier` but the model, the tokens and
the brand's fitted topics.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import exp

import numpy as np
from numpy.typing import NDArray

from classifier.features.ngrams import LENGTHS, REACH_OF_DENIAL
from classifier.features.reasons import LONGEST
from classifier.labelling.topics import Prototypes, probabilities
from classifier.labelling.trained_classifier import FOREIGN_TRUST, TASKS
from classifier.model.bundle import Bundle
from classifier.text.lexicon import DENIALS
from classifier.text.normalization import normalise
from classifier.text.tokens import is_symbol, tokens
from earshot.domain import Label

_M64, _M32 = 2**64 - 1, 2**32 - 1
_HIDDEN = frozenset(".,;:()[]'\"-\u2013\u2014\u2026") | {"@user"}
_QUIET = {"sentiment": "neutral", "intent": "remark", "spam": "ham"}


def _mix(h: int) -> int:
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9 & _M64
    return h ^ h >> 29


def _squeezed(word: str) -> str:
    kept = ""
    for char in word:
        if kept[-2:] != char * 2:
            kept += char
    return kept


@cache
def _hash(word: str) -> int:
    total = 0
    for at, char in enumerate(_squeezed(word), start=1):
        total += _mix(ord(char) + 1) * pow(0x9E3779B97F4A7C15, at, 2**64)
    return _mix(total & _M64)


@cache
def _run_columns(word: str, bits: int) -> list[int]:
    codes = [32, *map(ord, _squeezed(word)), 32]
    columns = []
    for size in LENGTHS:
        for at in range(len(codes) - size + 1):
            h = (codes[at] + 0x85EBCA6B) * 0x9E3779B1 & _M32
            for code in codes[at + 1 : at + size]:
                h = (h ^ code) * 0x9E3779B1 & _M32
                h ^= h >> 15
            columns.append((h * (0x85EBCA6B + 2 * size) & _M32) >> (32 - bits))
    return columns


_NEGATORS = frozenset(map(_squeezed, DENIALS))


def _denied(words: list[str]) -> list[int]:
    """The places of the words that one of the words before them denies."""
    found = []
    for at in range(len(words)):
        for back in range(1, REACH_OF_DENIAL + 1):
            if at < back or any(is_symbol(w) for w in words[at - back + 1 : at + 1]):
                break
            if _squeezed(words[at - back]) in _NEGATORS:
                found.append(at)
                break
    return found


def _said(words: list[str], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each of `words` adds to each column of `weights` (2**bits, columns)."""
    bits = len(weights).bit_length() - 1
    said = np.zeros((len(words), weights.shape[1]))
    hashes = [_hash(word) for word in words]
    for at, word in enumerate(words):
        for column in (hashes[at] >> (64 - bits), *_run_columns(word, bits)):
            said[at] += weights[column]
    for at in range(len(words) - 1):
        pair = _mix(hashes[at] * 0xD6E8FEB86659FD93 + hashes[at + 1] & _M64)
        said[at : at + 2] += weights[pair >> (64 - bits)] / 2
    for at in _denied(words):
        said[at] += weights[_mix(hashes[at] ^ 0xA0761D6478BD642F) >> (64 - bits)]
    return said


def _shown(words: list[str], at: int) -> str:
    word = words[at]
    while word[-3:] == word[-1] * 3:
        word = word[:-1]
    if at and at in _denied(words) and _squeezed(words[at - 1]) in _NEGATORS:
        return f"{words[at - 1]} {word[:LONGEST]}"[:LONGEST]
    return "link" if word == "http" else "" if word in _HIDDEN else word[:LONGEST]


def _reasons(words: list[str], lead: NDArray[np.float64]) -> tuple[str, ...]:
    ranked = sorted((at for at in range(len(words)) if lead[at] > 0), key=lambda at: -lead[at])
    return tuple(dict.fromkeys(filter(None, (_shown(words, at) for at in ranked[:3]))))


@dataclass(frozen=True)
class Reference:
    """The labels of a text that is surely English, by a bundle and a brand's topics."""

    bundle: Bundle
    topics: Prototypes

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """The weights of every label, behind the square of the idf: that adds up to the norm's."""
        idf = self.bundle.idf.astype(np.float64)[:, None]
        return np.hstack([np.square(idf), idf * self.bundle.weights])

    @cached_property
    def _topic_weights(self) -> NDArray[np.float64]:
        assert self.topics.table.row is not None
        return self.topics.table.weights.astype(np.float64)[self.topics.table.row]

    def labels(self, text: str) -> dict[str, tuple[Label, ...]]:
        """The labels of each task, one of each, and of `topic`, up to three."""
        words = tokens([normalise(text)])[:-1]
        said = _said(words, self._weights)
        norm = max(said[:, 0].sum(), 1e-9) ** 0.5
        found: dict[str, tuple[Label, ...]] = {}
        first = 1
        for head in self.bundle.header.heads:
            mine = said[:, first : first + len(head.labels)]
            first += len(head.labels)
            if head.task in TASKS:
                scores = (mine.sum(axis=0) / norm + head.intercepts).tolist()
                found[head.task] = (_label(head.task, head.labels, scores, words, mine),)
        return found | {"topic": self._topic_labels(words, norm)}

    def _topic_labels(self, words: list[str], norm: float) -> tuple[Label, ...]:
        curve = self.bundle.header.topic_curve
        said = _said(words, self._topic_weights)
        (shares,) = probabilities((said.sum(axis=0) / norm)[None, :], curve)
        ranked = sorted(range(len(shares)), key=lambda at: -shares[at])[:3]
        return tuple(
            Label(
                value=self.topics.names[topic],
                confidence=float(shares[topic]),
                reasons=_reasons(words, said[:, topic]),
            )
            for topic in ranked
            if shares[topic] >= curve.threshold
        )


def _label(
    task: str,
    labels: tuple[str, ...],
    scores: list[float],
    words: list[str],
    said: NDArray[np.float64],
) -> Label:
    powers = [exp(score) for score in scores]
    best = powers.index(max(powers)) if words else labels.index(_QUIET[task])
    guess = 1 / len(labels)
    english = 0.95  # the platform said so
    trust = english + (1 - english) * FOREIGN_TRUST
    others = np.delete(said, best, axis=1)
    return Label(
        value=labels[best],
        confidence=guess + (powers[best] / sum(powers) - guess) * trust,
        reasons=_reasons(words, said[:, best] - others.mean(axis=1)),
    )
