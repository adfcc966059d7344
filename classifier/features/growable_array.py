"""Arrays that are appended to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

D = TypeVar("D", bound=np.generic)


class Growing(Generic[D]):
    """An array to which rows are added, in time that depends on the new ones alone.

    `of` gives an empty array of its type, with the shape of a row behind the first axis.
    """

    def __init__(self, of: NDArray[D]) -> None:
        self._room = of
        self._used = 0

    def __len__(self) -> int:
        return self._used

    @property
    def rows(self) -> NDArray[D]:
        """The rows so far. Writing to them changes this array."""
        return self._room[: self._used]

    def add(self, rows: NDArray[D] | Sequence[Any]) -> None:
        end = self._used + len(rows)
        if end > len(self._room):
            wider = np.zeros((2 * end, *self._room.shape[1:]), self._room.dtype)
            wider[: self._used] = self.rows
            self._room = wider
        self._room[self._used : end] = np.asarray(rows, self._room.dtype)
        self._used = end
