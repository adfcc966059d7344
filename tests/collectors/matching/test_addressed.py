"""Whether a mention speaks to the brand, not only of it."""

from __future__ import annotations

import pytest

from collectors.matching.addressed import IN_THREAD, is_addressed
from collectors.matching.matching import compile_queries
from tests.collectors.test_collect import a_post

MATCHER = compile_queries({"name": "acme OR @acmehelp"})


@pytest.mark.parametrize(
    ("text", "addressed"),
    [
        ("acme is broken", False),
        ("acme is broken, @Acme-Care, look", True),
        ("acme is broken, u/acme-care", True),
        ("@acmehelp it is broken", True),
        ("acme: mail me at info@other.example", False),
    ],
)
def test_what_names_the_account_or_a_handle_of_the_queries_is_addressed_to_the_brand(
    text: str, *, addressed: bool
) -> None:
    post = a_post("1", text=text)
    match = MATCHER.match(post)
    assert is_addressed(post, match.queries, match.terms, "acme-care") is addressed


def test_the_word_of_the_platform_and_an_answer_to_us_are_enough() -> None:
    assert is_addressed(a_post("1", addressed=True), ("name",), ("acme",), "")
    assert is_addressed(a_post("1"), (IN_THREAD,), (), "")
    assert not is_addressed(a_post("1"), ("name",), ("acme",), "")
