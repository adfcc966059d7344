from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.features.growable_array import Growing


@given(st.lists(st.lists(st.integers(0, 9), max_size=5), max_size=20))
def test_what_was_added_stands_there_in_order(parts: list[list[int]]) -> None:
    growing = Growing(np.zeros(0, np.intp))
    for part in parts:
        growing.add(part)
    assert growing.rows.tolist() == [number for part in parts for number in part]
    assert len(growing) == sum(map(len, parts))


def test_rows_keep_their_shape_and_can_be_written_to() -> None:
    growing = Growing(np.zeros((0, 2), np.float32))
    growing.add(np.ones((3, 2), np.float32))
    growing.rows[1] = 5
    growing.add(np.zeros((100, 2), np.float32))
    assert growing.rows[:3].tolist() == [[1, 1], [5, 5], [1, 1]]
    assert growing.rows.dtype == np.float32
