"""The numbers of new items."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from router.intake.fold import item_numbers

times = st.datetimes(datetime(2020, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- Hypothesis adds the zone


@given(times, st.integers(1, 10**9), st.integers(0, 2047), st.integers(0, 2047))
def test_a_later_batch_takes_greater_numbers_that_fit_into_63_bits(
    now: datetime, later_us: int, first: int, second: int
) -> None:
    batch = list(islice(item_numbers(now, lambda _: first), 3))
    following = next(item_numbers(now + timedelta(microseconds=later_us), lambda _: second))
    assert batch == list(range(batch[0], batch[0] + 3))
    assert 0 < batch[0] < following < 2**63
