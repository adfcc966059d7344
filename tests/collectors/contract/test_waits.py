"""However long a platform asks us to wait, the wait is bounded, and people can see it."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from collectors.contract.source import PlatformError, Refused
from collectors.contract.transport import retry_after_s
from collectors.contract.waits import LONGEST_S, bounded_wait_s
from collectors.delivery.send_rules import Queue, after_attempt, after_unreadable
from tests.builders import NOON
from tests.collectors.platforms.damage import NO_HURRY

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        (None, None),
        (30.0, 30.0),
        (0.001, 1.0),
        (0.0, None),
        (-5.0, None),
        (1e9, LONGEST_S),
        (math.inf, LONGEST_S),
        (-math.inf, None),
        (math.nan, None),
    ],
)
def test_a_wait_is_at_least_a_second_and_at_most_a_day(
    asked: float | None, wait_s: float | None
) -> None:
    assert bounded_wait_s(asked) == wait_s


@NO_HURRY
@given(st.none() | st.floats() | st.integers().map(float))
def test_no_wait_that_leaves_a_source_or_a_responder_is_longer_than_a_day(
    asked: float | None,
) -> None:
    waits = (
        PlatformError("busy", retry_after_s=asked).retry_after_s,
        Refused(reason="busy", permanent=False, retry_after_s=asked).retry_after_s,
    )
    assert all(wait is None or 1 <= wait <= LONGEST_S for wait in waits)


@NO_HURRY
@given(st.none() | st.floats())
def test_a_refused_reply_is_tried_again_within_a_day(asked: float | None) -> None:
    refused = Refused(reason="busy", permanent=False, retry_after_s=asked)
    tried = after_attempt(refused, attempts=1, now=NOON, settle_s=5, confirm_after_s=5)
    assert isinstance(tried, Queue)
    assert NOON < tried.at <= NOON + DAY


def test_a_thread_that_can_not_be_read_back_is_read_again_within_a_day() -> None:
    asked = PlatformError("busy", retry_after_s=1e12).retry_after_s
    look = after_unreadable("busy", failures=0, now=NOON, retry_after_s=asked)
    assert getattr(look, "at", None) == NOON + DAY


NAMES = ["retry-after", "reset"]
VALUES = (
    st.text()
    | st.integers().map(str)
    | st.floats().map(str)
    | st.datetimes().map(lambda at: at.strftime("%a, %d %b %Y %H:%M:%S GMT"))
)


@NO_HURRY
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_whatever_the_headers_say_the_wait_is_sane(headers: dict[str, str]) -> None:
    wait = retry_after_s(headers, NOON, "reset")
    assert wait is None or 1 <= wait <= LONGEST_S


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "1000000000"}, LONGEST_S),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_S),
        ({"retry-after": "Mon, 02 Mar 2026 12:00:10 -0000"}, 10.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon", "reset": str(NOON.timestamp() + 9)}, 9.0),
        ({"reset": "32503680000"}, LONGEST_S),
        ({"reset": str(NOON.timestamp() - 3600)}, None),
        ({"reset": "-1"}, None),
        ({"reset": "nan"}, None),
    ],
)
def test_a_wait_that_can_not_be_meant_is_bounded_or_left_to_our_own_back_off(
    headers: dict[str, str], wait_s: float | None
) -> None:
    assert retry_after_s(headers, NOON, "reset") == wait_s


def test_header_names_count_in_any_case() -> None:
    headers = requests.structures.CaseInsensitiveDict({"Retry-After": "7"})
    assert retry_after_s(headers, NOON) == 7.0
