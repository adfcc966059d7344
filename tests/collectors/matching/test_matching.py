"""The matcher: what the language means, and an oracle that knows no index."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collectors.contract.source import Post
from collectors.matching.matching import Match, Matcher, compile_queries
from collectors.matching.query import BadQuery, Words, normalise, parse, tokens_of
from collectors.matching.terms import FEW, TermIndex
from tests.builders import NOON, an_author


def a_post(text: str, **changes: Any) -> Post:
    values = {"author": an_author(handle="Ana", id="u1"), "lang": "en", **changes}
    return Post(native_id="1", thread="1", text=text, url="", published_at=NOON, **values)


def matches(query: str, text: str, **changes: Any) -> bool:
    return bool(compile_queries({"q": query}).match(a_post(text, **changes)))


@pytest.mark.parametrize(
    ("query", "text", "expected"),
    [
        ("acme", "I like ACME.", True),
        ("acme", "acmeco", False),
        ("acme", "#Acme and more", True),
        ("acme", "@acme help", True),
        ("#acme", "acme", False),
        ("#acme", "so #ACME!", True),
        ("@acme", "#acme", False),
        ("$ACME", "buy $acme", True),
        ("acme help", "help me, acme", True),
        ("acme AND help", "acme", False),
        ('"acme help"', "acme, help", True),
        ('"acme help"', "help acme", False),
        ("“acme corp”", "corp and acme", False),
        ("“acme corp”", "Acme Corp!", True),
        ("„acme corp“ OR «zen garden»", "a zen garden", True),
        ("「acme corp」 （help | bug） −job", "acme corp: a bug", True),  # noqa: RUF001 -- the very signs
        ("「acme corp」 （help | bug） −job", "acme corp: a job, a bug", False),  # noqa: RUF001 -- the very signs
        ("acme –jobs", "acme jobs", False),  # noqa: RUF001 -- the very signs
        ("from：ana", "whatever", True),  # noqa: RUF001 -- the very signs
        ("acme|globex", "globex", True),
        ("acme || globex -spam", "acme", True),
        ("acme | globex -spam", "globex spam", False),
        ('"a|b"', "is it a|b?", True),
        ("wi‑fi", "my Wi-Fi fails", True),  # noqa: RUF001 -- the very signs
        ("a OR b c", "a", True),
        ("a OR b c", "b", False),
        ("a OR b c", "c b", True),
        ("(a OR b) c", "a", False),
        ("acme -jobs", "acme jobs", False),
        ("acme NOT (job OR hiring)", "acme is hiring", False),
        ("acme NOT (job OR hiring)", "acme is down", True),
        ("acme and bob", "acme bob", False),
        ("acme or bob", "acme", False),
        ("straße", "STRASSE", True),
        ("ﬁne", "fine", True),
        ("café", "cafe", False),
        ("東京", "今日は東京で雨", True),
        ("東京", "京東", False),
        ("acme", "今日acmeが好き", True),
        ("ไทย", "ภาษาไทยยาก", True),
        ("🔥", "so good🔥🔥", True),
        ("❤️", "I ❤ it", True),
        ("wi-fi", "my Wi-Fi fails", True),
        ("don't", "I don't", True),
        ("c++", "learn C++ now", True),
        ("from:ana", "whatever", True),
        ("from:@ANA", "whatever", True),
        ("from:bob", "ana", False),
        ("from:u1", "by id", True),
        ("acme lang:en", "acme", True),
        ("acme lang:de", "acme", False),
        ("acme -lang:en", "acme", False),
    ],
)
def test_the_language_means_what_it_says(query: str, text: str, *, expected: bool) -> None:
    assert matches(query, text) is expected


def test_a_language_with_its_region_is_that_language() -> None:
    assert matches("acme lang:pt", "acme", lang="pt-BR")
    assert not matches("acme lang:pt", "acme", lang="")


def test_a_match_names_its_queries_and_the_terms_that_are_there() -> None:
    matcher = compile_queries(
        {"brand": 'acme OR "acme corp" -spam', "pain": "fails OR broken", "other": "zzz"}
    )
    match = matcher.match(a_post("Acme Corp: it fails"))
    assert match == Match(("brand", "pain"), ("acme", "acme corp", "fails"))
    assert not matcher.match(a_post("nothing here"))


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("", "column 1: the query is empty"),
        ("acme OR", r"column 8: the query ends, expected .*a word"),
        ("(acme", r"column 6: the query ends, expected .*\)"),
        ("acme)", r"column 5: '\)' can't stand here"),
        ('acme "corp', "column 6: the quote is not closed"),
        ("acme “corp", "column 6: the quote is not closed"),
        ("acme — jobs", "column 6: '-' can't stand here"),
        ("acme |", r"column 7: the query ends, expected .*a word"),
        ("url:x", "column 4: unknown field; the fields are from: and lang:"),
        ("acme !!!", "column 6: !!! holds no word"),
        ("NOT acme", "only says what must not be there"),
        ("acme OR -b", "only says what must not be there"),
        ("lang:en", "a language"),
        ("a AND AND b", "column 7"),
        ("(" * 41 + "a" + ")" * 41, "column 41: more than 40 parentheses"),
        ("a " * 2_001, "4000 characters"),
    ],
)
def test_a_wrong_query_is_named_with_the_column_and_what_was_expected(
    query: str, complaint: str
) -> None:
    with pytest.raises(BadQuery, match=f"query 'mine': .*{complaint}"):
        compile_queries({"mine": query})


@given(st.text(alphabet='ab"()-:#@ NOTAND', max_size=60))
def test_any_typography_of_a_sign_says_what_the_plain_one_says(query: str) -> None:
    said = complaint(query, parse)
    for plain, other in ('"“', '"』', "(（", ")）", "-−", "-—", ":：", "@＠", "#＃"):  # noqa: RUF001 -- the very signs
        assert complaint(query.replace(plain, other), parse) == said
        if not said:
            assert parse(query.replace(plain, other)) == parse(query)


@given(st.text(alphabet='ab"()-:#@| NOTAND', max_size=60))
@example("-" * 50)
@example("NOT NOT a")
def test_any_text_is_a_query_or_a_clear_error(query: str) -> None:
    assert re.match(r"^$|column \d+: ", complaint(query, parse))


def complaint(query: str, read: Callable[[str], object]) -> str:
    """What is said against a query, or nothing."""
    try:
        read(query)
    except BadQuery as error:
        return str(error)
    return ""


WORDS = st.sampled_from(["acme", "corp", "help", "zürich", "x1", "#acme", "@help"])


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[Any, ...]:
    """A query as a nested tuple, as the oracle reads it."""
    kinds = ["word", "phrase", "from"] + (["and", "or", "not"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    if kind == "word":
        return kind, draw(WORDS)
    if kind == "phrase":
        return kind, *draw(st.lists(WORDS, min_size=2, max_size=3))
    if kind == "from":
        return kind, draw(st.sampled_from(["ana", "bob"]))
    if kind == "not":
        return kind, draw(trees(depth - 1))
    return kind, *draw(st.lists(trees(depth - 1), min_size=2, max_size=3))


def written(tree: tuple[Any, ...]) -> str:
    kind, *parts = tree
    if kind == "word":
        return str(parts[0])
    if kind == "phrase":
        return '"' + " ".join(parts) + '"'
    if kind == "from":
        return f"from:{parts[0]}"
    if kind == "not":
        return f"NOT ({written(parts[0])})"
    joint = " OR " if kind == "or" else " "
    return "(" + joint.join(written(part) for part in parts) + ")"


def says(tree: tuple[Any, ...], words: list[str], author: str) -> bool:
    """Brute force: no index, no positions, word by word."""
    kind, *parts = tree
    if kind in {"word", "phrase"}:
        places = range(len(words) - len(parts) + 1)
        return any(
            all(words[place + n] in {part, f"#{part}", f"@{part}"} for n, part in enumerate(parts))
            for place in places
        )
    if kind == "from":
        return bool(parts[0] == author)
    if kind == "not":
        return not says(parts[0], words, author)
    every = [says(part, words, author) for part in parts]
    return any(every) if kind == "or" else all(every)


@given(
    st.lists(trees(), min_size=1, max_size=6),
    st.lists(WORDS, max_size=8),
    st.sampled_from(["ana", "bob", "cy"]),
    st.sampled_from([0, FEW]),
)
def test_the_index_finds_exactly_what_brute_force_finds(
    asked: list[tuple[Any, ...]], words: list[str], author: str, few: int
) -> None:
    usable = {}
    for number, tree in enumerate(asked):
        refused = complaint(written(tree), lambda query: compile_queries({"q": query}))
        if refused:
            assert "only says what must not be there" in refused
        else:
            assert not says(tree, [], "nobody")  # it does need something to be there
            usable[f"q{number}"] = tree
    matcher = Matcher({name: parse(written(tree)) for name, tree in usable.items()}, few)
    text = " ".join(words).upper()
    found = matcher.match(a_post(text, author=an_author(handle=author, id="u9"))).queries
    assert set(found) == {name for name, tree in usable.items() if says(tree, words, author)}


@given(st.lists(trees(), min_size=1, max_size=4), st.lists(st.lists(WORDS, max_size=8), max_size=8))
def test_what_was_matched_before_changes_nothing(
    asked: list[tuple[Any, ...]], said: list[list[str]]
) -> None:
    queries = {
        f"q{number}": written(tree)
        for number, tree in enumerate(asked)
        if not complaint(written(tree), lambda query: compile_queries({"q": query}))
    }
    posts = [a_post(" ".join(words)) for words in said]
    matcher = compile_queries(queries)
    assert [matcher.match(post) for post in posts] == [
        compile_queries(queries).match(post) for post in posts
    ]


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_plain_text_is_read_as_all_other_text_is(text: str) -> None:
    assert normalise(text + " é") == f"{normalise(text)} é".lstrip()
    assert [*tokens_of(normalise(text)), "é"] == tokens_of(normalise(text + " é"))


TOKENS = st.sampled_from(["a", "b", "ab", "é", "aé", "#a", "@é", "$1", "_", "a_"])
TIGHT = st.text(st.sampled_from([*"aabé_1#@$ -.東ไ🔥\n\ufe0f", "ﬁ", "A", "ß"]), max_size=12)


@given(st.lists(st.lists(TOKENS, min_size=1, max_size=2), max_size=6), TIGHT)
@example([["#a"]], "b#a")
@example([["a"]], "ba a")
def test_words_sought_and_words_looked_up_are_the_same(asked: list[list[str]], text: str) -> None:
    words = [
        Words(" ".join(some), tuple(tokens))
        for some in asked
        if (tokens := tokens_of(normalise(" ".join(some))))
    ]
    post = a_post(text)
    assert TermIndex(words, FEW).true_of(post) == TermIndex(words, 0).true_of(post)
