"""Tokens that decided, as words a person can read."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from classifier.features.growable_array import Growing
from classifier.features.ngrams import Grams, Ints, Vocabulary
from classifier.text.normalization import LINK, PERSON
from classifier.text.tokens import END

LONGEST = 40
_SHOWN = {LINK: "link", PERSON: "", END: ""} | dict.fromkeys(".,;:()[]'\"-–—…", "")  # noqa: RUF001 -- a dash
"""What is shown for a token: marks that explain nothing to a reader are left out, ? and ! stay."""


_DRAWN_OUT = re.compile(r"(.)\1{2,}$")


def _cut(word: str) -> str:
    """The word, shorter where its end is drawn out ("yesssss") or it is long."""
    if word.endswith(word[-1] * 3):
        word = _DRAWN_OUT.sub(r"\1\1", word)
    return word[:LONGEST]


class Reasons:
    """The words of `vocabulary` as they are shown, each looked up once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._shown = Growing(np.zeros(0, np.object_))
        self._visible = Growing(np.zeros(0, np.bool_))
        self._changed = Growing(np.zeros(0, np.bool_))

    def of(self, batch: Grams, picked: Ints) -> list[tuple[str, ...]]:
        """The words of the tokens `picked` (rows, count; -1 for none), each once, in order.

        A word right after its denial is shown with it ("not good"). A link is shown as `link`;
        people and mere punctuation are not shown. Words are cut at `LONGEST` characters.
        """
        self._look_up()
        number = np.append(batch.word, 0)[picked]
        shown = self._shown.rows[number]
        denied = np.append(_after_denial(batch), False)[picked]
        every = self._vocabulary.words
        for row, rank in np.argwhere(denied).tolist():
            denial = every[batch.word[picked[row, rank] - 1]]
            shown[row, rank] = f"{denial} {_cut(every[number[row, rank]])}"[:LONGEST]
        rows = _rows(shown, self._visible.rows[number] & ~_repeated(number))
        # what is shown otherwise than it is written may be alike though the words are not
        for row in np.flatnonzero((denied | self._changed.rows[number]).any(axis=1)).tolist():
            rows[row] = tuple(dict.fromkeys(filter(None, shown[row])))
        return rows

    def _look_up(self) -> None:
        new = self._vocabulary.words[len(self._shown) :]
        shown = [_SHOWN.get(cut, cut) for cut in map(_cut, new)]
        self._shown.add(shown)
        self._visible.add([bool(said) for said in shown])
        self._changed.add(
            [bool(said) and said != word for said, word in zip(shown, new, strict=True)]
        )


def _repeated(number: Ints) -> NDArray[np.bool_]:
    """Whether an entry is further left in its row, too."""
    repeated = np.zeros(number.shape, np.bool_)
    for rank in range(1, number.shape[1]):
        repeated[:, rank] = (number[:, :rank] == number[:, rank, None]).any(axis=1)
    return repeated


def _rows(shown: NDArray[np.object_], kept: NDArray[np.bool_]) -> list[tuple[str, ...]]:
    """The `kept` entries of each row. Rows that keep the same places are made at once."""
    rows: list[tuple[str, ...]] = [()] * len(shown)
    places = range(shown.shape[1])
    pattern = kept @ (1 << np.arange(len(places)))
    for bits in range(1, 1 << len(places)):
        at = np.flatnonzero(pattern == bits)
        columns = (shown[at, place].tolist() for place in places if bits >> place & 1)
        for row, words in zip(at.tolist(), zip(*columns, strict=True), strict=True):
            rows[row] = words
    return rows


def _after_denial(batch: Grams) -> NDArray[np.bool_]:
    """Whether a token is right after one that denies it."""
    after = np.zeros(len(batch.word), np.bool_)
    negator = batch.vocabulary.negator[batch.word[batch.denied_at - 1]]
    after[batch.denied_at[negator]] = True
    return after
