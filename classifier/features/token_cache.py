"""What a classifier has found out about words: it is the same in every text that has them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from classifier.features.growable_array import Growing
from classifier.features.ngrams import Grams, Vocabulary
from classifier.features.reasons import Reasons
from classifier.features.scoring import Table, WordScores
from classifier.labelling.urgency import may_alarm

MOST_WORDS = 2**16
MOST_BYTES = 32 * 2**20
"""A memory with this many words, or bytes of scores, is full: forget it, and begin again."""


class Memory:
    """The words met so far, with what each adds to the scores of tasks and of brands' topics.

    It changes with every batch, but no answer depends on what it knew before. Not for use from
    two threads at once.
    """

    def __init__(self, tasks: Table, topics: Mapping[str, Table]) -> None:
        self.vocabulary = Vocabulary()
        self.tasks = WordScores(self.vocabulary, tasks)
        self.topics = {brand: WordScores(self.vocabulary, table) for brand, table in topics.items()}
        self.reasons = Reasons(self.vocabulary)
        self._alarming = Growing(np.zeros(0, np.bool_))
        row = sum(int(table.weights[0].nbytes) for table in (tasks, *topics.values()))
        self._most = min(MOST_WORDS, MOST_BYTES // row)

    @property
    def full(self) -> bool:
        return len(self.vocabulary.words) > self._most

    def alarming(self, batch: Grams) -> NDArray[np.bool_]:
        """Of each text, whether it has a word without which no wording is urgent."""
        new = self.vocabulary.words[len(self._alarming) :]
        self._alarming.add(list(map(may_alarm, new)))
        texts = np.zeros(batch.texts, np.bool_)
        texts[batch.document[self._alarming.rows[batch.word]]] = True
        return texts
