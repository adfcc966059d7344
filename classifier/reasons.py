"""Tokens that decided, as words a person can read."""

from __future__ import annotations

import numpy as np

from classifier.features import Grams, Ints
from classifier.text import LINK, PERSON

LONGEST = 40
_SHOWN = {LINK: "link", PERSON: ""} | dict.fromkeys(".,;:()[]'\"-–—…", "")  # noqa: RUF001 -- a dash
"""What is shown for a token: marks that explain nothing to a reader are left out, ? and ! stay."""


def words(batch: Grams, picked: Ints) -> list[tuple[str, ...]]:
    """The words of the tokens `picked` (texts, count; -1 for none), each once, in order.

    A word right after its denial is shown with it ("not good"). A link is shown as `link`;
    people and mere punctuation are not shown. Words are cut at `LONGEST` characters.
    """
    tokens = batch.tokens
    begin = _with_denial(batch)
    chosen = np.where(picked >= 0, picked, 0)
    if not len(begin):
        return [()] * len(picked)
    starts, ends = begin[chosen].tolist(), tokens.end[chosen].tolist()
    joined = tokens.joined
    shown: list[tuple[str, ...]] = []
    for row, start, end in zip(picked.tolist(), starts, ends, strict=True):
        found = [
            " ".join(joined[a:b].split())[:LONGEST]
            for token, a, b in zip(row, start, end, strict=True)
            if token >= 0
        ]
        shown.append(tuple(dict.fromkeys(s for w in found if (s := _SHOWN.get(w, w)))))
    return shown


def _with_denial(batch: Grams) -> Ints:
    """Where each token begins, its denial included if that is the token before it."""
    begin = batch.tokens.start.copy()
    after = batch.denied_at[batch.negator[batch.denied_at - 1]]
    begin[after] = batch.tokens.start[after - 1]
    return begin
