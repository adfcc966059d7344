"""Durations as mergeable histograms with a bounded relative error. Pure.

A duration falls into the bucket `ceil(log(seconds) / log(GAMMA))`. Counts of equal buckets
add up, so that percentiles stay true when days, teams and topics are put together. With
`GAMMA = (1 + e) / (1 - e)` every value of a bucket is within the relative error `e` of the
bucket's representative `2 * GAMMA**k / (GAMMA + 1)` (Masson, Rim, Lee: DDSketch, VLDB 2019).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(GAMMA)

ZERO_BUCKET = -1
"""Durations under one second, negative ones among them (clocks differ), count as zero."""


def bucket(seconds: float) -> int:
    """The bucket of a duration in seconds."""
    if seconds < 1:
        return ZERO_BUCKET
    return math.ceil(math.log(seconds) / _LOG_GAMMA - 1e-9)


def representative(number: int) -> float:
    """The duration in seconds that stands for bucket `number`."""
    if number == ZERO_BUCKET:
        return 0.0
    return 2 * GAMMA**number / (GAMMA + 1)


def merge(*histograms: Mapping[int, int]) -> dict[int, int]:
    """The sum of histograms, each a mapping of bucket to count."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for number, count in histogram.items():
            total[number] = total.get(number, 0) + count
    return total


def quantile(histogram: Mapping[int, int], q: float) -> float | None:
    """The `q`-quantile (0 ≤ q ≤ 1) in seconds by the nearest-rank rule; None when empty.

    Raises ValueError for a `q` outside 0..1.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"q must lie in 0..1, got {q}")
    total = sum(histogram.values())
    if not total:
        return None
    rank = max(1, math.ceil(round(q * total, 6)))  # 0.07 * 100 is a little over 7
    seen = 0
    for number in sorted(histogram):
        seen += histogram[number]
        if seen >= rank:
            return representative(number)
    raise AssertionError("the counts add up to the total")


def quantile_with_waiting(
    answered: Mapping[int, int], waiting: Mapping[int, int], q: float
) -> tuple[float, bool] | None:
    """The `q`-quantile when the still waiting are counted in, and whether it is a lower bound.

    `waiting` holds the present ages of open items. Each will take at least its age, so the
    quantile over both is never above the true one; it is only a lower bound (True) when the
    ranked value is that of a waiting item or a waiting item lies below it.
    """
    value = quantile(merge(answered, waiting), q)
    if value is None:
        return None
    open_below = any(representative(number) <= value for number in waiting if waiting[number])
    return value, open_below
