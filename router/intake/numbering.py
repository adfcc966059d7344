"""The numbers of new items. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

A_MICROSECOND = 2048
"""How many numbers there are for each: 63 bits hold them until the year 2112."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def item_numbers(now: datetime, draw: Callable[[int], int]) -> Iterator[int]:
    """Numbers for the items that a batch opens at `now`, one after the other.

    They rise with time, so that a database of millions writes new items, and what is looked up
    by them, side by side instead of all over its indexes. `draw` gives a random whole number
    below its argument: should two processes meet all the same, the database refuses one, which
    tries again at another time.
    """
    return count((now - _EPOCH) // timedelta(microseconds=1) * A_MICROSECOND + draw(A_MICROSECOND))
