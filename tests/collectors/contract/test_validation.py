"""Outside text and links: bounded, storable, and of a kind that can be shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.contract.source import Post
from collectors.contract.validation import (
    EARLIEST,
    NAME_LIMIT,
    clean_name,
    clean_text,
    clean_url,
    find_violations,
    is_plainly_valid,
    utc_time,
    violation,
)
from earshot.domain import TEXT_LIMIT, Author
from tests.builders import NOON, an_author

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_any_text_becomes_storable_and_bounded(raw: str) -> None:
    for kept, limit in ((clean_text(raw), TEXT_LIMIT), (clean_name(raw), NAME_LIMIT)):
        assert len(kept) <= limit
        assert "\x00" not in kept
        kept.encode()  # no lone surrogate is left


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))
def test_ordinary_text_is_left_alone(raw: str) -> None:
    assert clean_text(raw) == raw[:TEXT_LIMIT]


def test_long_text_is_cut() -> None:
    assert len(clean_text("x" * 100_000)) == TEXT_LIMIT
    assert clean_name(" Ana\n\tPerez ") == "Ana Perez"


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("https://example.org/a?b=c#d", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("data:text/html,hi", False),
        ("//example.org", False),
        ("https://", False),
        ("https://[broken", False),
        ("https://example.org/\nHost: x", False),
        (f"https://example.org/{'x' * 2_000}", False),
        ("", False),
    ],
)
def test_only_bounded_web_addresses_are_kept(raw: str, *, kept: bool) -> None:
    assert clean_url(raw) == (raw if kept else "")


def test_times_are_utc_whatever_they_say() -> None:
    assert utc_time("2026-03-02T13:00:00+01:00") == utc_time("2026-03-02T12:00:00")
    assert utc_time("2026-03-02T12:00:00Z").tzname() == "UTC"


ODD = st.sampled_from(["", "a", "x" * 36, "x" * 201, "é", "\n", "\x00", "\ud800", "\u202e", "🔥"])
TIMES = st.sampled_from([None, EARLIEST - timedelta(days=1), NOON, NOON + timedelta(days=2)])
ODD_NUMBERS = st.sampled_from([0, -1, 2**53, 2**63, True])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            **dict.fromkeys(("native_id", "thread", "parent", "text", "url", "lang"), ODD),
            "reply_bar": ODD,
            "revision": ODD_NUMBERS,
            "address": st.dictionaries(ODD, ODD, max_size=2),
            "author": st.builds(Author, id=ODD, name=ODD, handle=ODD, url=ODD, reach=ODD_NUMBERS),
            "published_at": st.sampled_from(
                [EARLIEST - timedelta(days=1), NOON, NOON + timedelta(days=2)]
            ),
            "received_at": TIMES,
            "edited_at": TIMES,
        },
    )
)
@example({"text": "x" * (TEXT_LIMIT + 1)})
@example({"address": {str(n): "" for n in range(30)}})
@example({"text": None})
@example({"address": {"a": None}})
def test_what_passes_at_a_glance_passes_the_closer_look(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "native_id": "1",
        "thread": "1",
        "author": an_author(),
        "text": "acme",
        "url": "",
        "published_at": NOON,
    }
    post = Post(**fields | changes)
    assert is_plainly_valid(post, NOON) or changes, "an ordinary post is plain"
    assert not (is_plainly_valid(post, NOON) and find_violations(post, NOON))


@pytest.mark.parametrize("name", ["published_at", "received_at", "edited_at"])
@pytest.mark.parametrize("days", [-365_000 // 14, 2, 365 * 70])
def test_a_time_that_no_platform_can_mean_is_refused_by_its_name(name: str, days: int) -> None:
    fields: dict[str, Any] = {
        "native_id": "1",
        "thread": "1",
        "author": an_author(),
        "text": "acme",
        "url": "",
        "published_at": NOON,
    }
    post = Post(**fields | {name: NOON + timedelta(days=days)})
    assert violation(post, NOON) == f"out of bounds: {name}"
