"""Outside text and links: bounded, storable, and of a kind that can be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.bounds import NAME_LIMIT, clean_name, clean_text, clean_url, utc_time
from earshot.domain import TEXT_LIMIT

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
