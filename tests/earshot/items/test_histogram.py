"""Durations in buckets: they add up in any order, and stay within one percent."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.items.histogram import (
    RELATIVE_ERROR,
    ZERO_BUCKET,
    bucket,
    merge,
    quantile,
    quantile_with_waiting,
    representative,
)

WITHIN = RELATIVE_ERROR * (1 + 1e-6)
YEAR = 366 * 86_400.0
seconds = st.floats(1, 10 * YEAR)
histograms = st.dictionaries(st.integers(-1, 1_100), st.integers(1, 1_000), max_size=20)
shares = st.floats(0, 1) | st.sampled_from([0.0, 0.07, 0.5, 0.55, 0.9, 0.99, 1.0])


def counted(values: list[float]) -> Counter[int]:
    return Counter(bucket(value) for value in values)


def nearest_rank(values: list[float], q: float) -> float:
    return sorted(values)[max(1, math.ceil(round(q * len(values), 6))) - 1]


@given(seconds)
def test_a_bucket_stands_for_its_durations_within_one_percent(value: float) -> None:
    assert abs(representative(bucket(value)) - value) <= WITHIN * value


@given(seconds, seconds)
def test_a_longer_duration_never_falls_into_a_lower_bucket(a: float, b: float) -> None:
    assert (bucket(a) <= bucket(b)) or a > b


@given(st.floats(-YEAR, 1, exclude_max=True))
def test_less_than_a_second_counts_as_none(value: float) -> None:
    assert bucket(value) == ZERO_BUCKET
    assert representative(ZERO_BUCKET) == 0


@given(histograms, histograms, histograms)
def test_histograms_add_up_in_any_order(
    a: dict[int, int], b: dict[int, int], c: dict[int, int]
) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c)) == merge(a, b, c)
    assert merge(a) == a
    assert sum(merge(a, b).values()) == sum(a.values()) + sum(b.values())


@given(st.lists(seconds, min_size=1, max_size=300), shares)
def test_a_quantile_is_within_one_percent_of_the_sorted_list(values: list[float], q: float) -> None:
    found, true = quantile(counted(values), q), nearest_rank(values, q)
    assert found is not None
    assert abs(found - true) <= WITHIN * true


@given(st.lists(seconds, min_size=1), st.lists(seconds, min_size=1), shares)
def test_a_quantile_of_a_sum_is_that_of_all_durations(
    a: list[float], b: list[float], q: float
) -> None:
    assert quantile(merge(counted(a), counted(b)), q) == quantile(counted(a + b), q)


@pytest.mark.parametrize(("q", "rank"), [(0.07, 7), (0.55, 55), (0.56, 56), (0.9, 90), (0, 1)])
def test_the_rank_is_not_off_by_the_error_of_floats(q: float, rank: int) -> None:
    histogram = {10 * n: 1 for n in range(1, 101)}
    assert quantile(histogram, q) == representative(10 * rank)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_share_outside_its_bounds_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match=r"q must lie in 0\.\.1"):
        quantile({1: 1}, q)


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert quantile_with_waiting({}, {}, 0.5) is None


@given(
    st.lists(seconds, max_size=60),
    st.lists(st.tuples(seconds, st.floats(0, YEAR)), max_size=60),
    shares,
)
def test_with_the_waiting_it_is_never_above_the_truth(
    answered: list[float], waiting: list[tuple[float, float]], q: float
) -> None:
    ages = [age for age, _ in waiting]
    found = quantile_with_waiting(counted(answered), counted(ages), q)
    in_the_end = answered + [age + more for age, more in waiting]
    if found is None:
        assert not in_the_end
        return
    value, is_lower_bound = found
    true = nearest_rank(in_the_end, q)
    assert value <= true * (1 + WITHIN)
    if not is_lower_bound:
        assert abs(value - true) <= WITHIN * true
