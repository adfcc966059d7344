"""What becomes of a reply, decided: nothing is sent twice, and nothing is given up in silence."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.contract.source import Answer, Refused, Seen, Sent, Thread, Unknown
from collectors.delivery import send_rules
from collectors.delivery.send_rules import (
    ATTEMPTS,
    READ_ATTEMPTS,
    READS,
    AlreadyPosted,
    Confirmed,
    Context,
    Fail,
    Proceed,
    Queue,
    ReadBack,
    Stop,
    same_text,
)
from tests.builders import NOON

TEXT = "Sorry about that! We have found your parcel, it arrives on Friday."
ANSWER = Answer(key="k", parent="p", thread="t", text=TEXT, since=NOON)


def seen(**changes: object) -> Seen:
    columns = {"native_id": "n", "parent": "p", "text": TEXT, "at": NOON, "ours": True} | changes
    return Seen(**columns)  # type: ignore[arg-type]  # the test names real columns


def thread(*posts: Seen, gone: bool = False) -> Thread:
    return Thread(gone=gone, posts=posts)


# ---------------------------------------------------------------- before an attempt


@pytest.mark.parametrize(
    ("there", "context", "forced", "attempts", "expected"),
    [
        (thread(), Context(), False, 0, Proceed),
        (thread(gone=True), Context(), False, 0, Stop),
        (thread(gone=True), Context(), True, 0, Stop),
        (thread(), Context(deleted=True), True, 0, Stop),
        (thread(), Context(can_reply=False, reply_bar="locked"), True, 0, Stop),
        (thread(), Context(edited=True), False, 0, Stop),
        (thread(), Context(edited=True), True, 0, Proceed),
        (thread(), Context(author_wrote_again=True), False, 0, Stop),
        (thread(), Context(author_wrote_again=True), True, 0, Proceed),
        (thread(seen(text="Done!")), Context(), False, 0, Stop),
        (thread(seen(text="Done!")), Context(), True, 0, Proceed),
        (thread(seen(text="Done!")), Context(), False, 3, Stop),
        (thread(seen()), Context(), False, 0, Stop),
        (thread(seen()), Context(), True, 0, Proceed),
        (thread(seen()), Context(), False, 1, AlreadyPosted),
        (thread(seen()), Context(deleted=True, edited=True), True, 1, AlreadyPosted),
        (thread(seen(parent="other")), Context(), False, 1, Proceed),
        (thread(seen(ours=False)), Context(), False, 1, Proceed),
    ],
)
def test_an_answer_goes_out_only_when_nothing_stands_against_it(
    *, there: Thread, context: Context, forced: bool, attempts: int, expected: type
) -> None:
    decision = send_rules.before_sending(ANSWER, there, context, forced=forced, attempts=attempts)
    assert type(decision) is expected


def test_the_platforms_own_reason_is_told() -> None:
    decision = send_rules.before_sending(
        ANSWER, thread(), Context(can_reply=False, reply_bar="archived"), forced=False, attempts=0
    )
    assert decision == Stop(reason="archived")


# ---------------------------------------------------------------- after an attempt

outcomes = st.one_of(
    st.builds(Sent, native_id=st.text(min_size=1)),
    st.builds(Unknown, reason=st.text()),
    st.builds(
        Refused,
        reason=st.text(),
        permanent=st.booleans(),
        retry_after_s=st.none() | st.floats(0, 900),
    ),
)


@given(outcomes, st.integers(1, 20), st.floats(0, 120), st.floats(0.1, 60))
def test_only_a_documented_refusal_leads_to_another_attempt(
    outcome: Sent | Unknown | Refused, attempts: int, settle_s: float, confirm_s: float
) -> None:
    decision = send_rules.after_attempt(
        outcome, attempts=attempts, now=NOON, settle_s=settle_s, confirm_after_s=confirm_s
    )
    match outcome:
        case Sent():
            assert decision == outcome
        case Unknown():
            assert isinstance(decision, ReadBack)
            assert decision.at >= NOON + timedelta(seconds=settle_s)
        case Refused(permanent=True):
            assert decision == Fail(reason=outcome.reason)
        case Refused():
            assert isinstance(decision, Fail if attempts >= ATTEMPTS else Queue)


def test_the_platforms_word_on_when_to_come_back_is_kept() -> None:
    refused = Refused(reason="slow down", permanent=False, retry_after_s=77)
    decision = send_rules.after_attempt(
        refused, attempts=1, now=NOON, settle_s=1, confirm_after_s=1
    )
    assert decision == Queue(at=NOON + timedelta(seconds=77), reason="slow down")


# ---------------------------------------------------------------- after reading


@given(st.integers(0, 20), st.integers(1, 20), st.text(min_size=1), st.floats(0, 60))
def test_what_the_platform_took_is_never_sent_again(
    reads: int, attempts: int, native_id: str, settle_s: float
) -> None:
    decision = send_rules.after_reading(
        ANSWER,
        native_id,
        thread(),
        reads=reads,
        attempts=attempts,
        now=NOON,
        settle_s=settle_s,
    )
    assert isinstance(decision, Fail if reads + 1 >= READ_ATTEMPTS else ReadBack)


@given(st.integers(0, 10), st.integers(1, 20), st.floats(0, 60))
def test_an_unknown_attempt_is_sought_often_enough_before_another(
    reads: int, attempts: int, settle_s: float
) -> None:
    decision = send_rules.after_reading(
        ANSWER, "", thread(), reads=reads, attempts=attempts, now=NOON, settle_s=settle_s
    )
    if reads + 1 < READS:
        assert isinstance(decision, ReadBack)
        assert decision.at >= NOON + timedelta(seconds=settle_s)
    else:
        assert isinstance(decision, Fail if attempts >= ATTEMPTS else Queue)


@pytest.mark.parametrize(
    ("native_id", "post", "found"),
    [
        ("n", seen(), True),
        ("n", seen(text="edited by a moderator"), True),
        ("n", seen(native_id="m"), False),
        ("", seen(), True),
        ("", seen(ours=False), False),
        ("", seen(parent="t"), False),
        ("", seen(text="Something else"), False),
        ("", seen(at=NOON - timedelta(minutes=1)), True),
        ("", seen(at=NOON - timedelta(minutes=3)), False),
        ("", seen(text=f"@ana {TEXT.upper()}"), True),
    ],
)
def test_an_answer_is_recognised_by_its_name_or_by_place_text_and_time(
    *, native_id: str, post: Seen, found: bool
) -> None:
    decision = send_rules.after_reading(
        ANSWER, native_id, thread(post), reads=0, attempts=1, now=NOON, settle_s=1
    )
    assert (decision == Confirmed(seen=post)) is found


@given(st.integers(0, 10), st.none() | st.floats(1, 900))
def test_an_unreadable_thread_never_leads_to_an_attempt(
    failures: int, retry_after_s: float | None
) -> None:
    decision = send_rules.after_unreadable(
        "down", failures=failures, now=NOON, retry_after_s=retry_after_s
    )
    assert isinstance(decision, Fail if failures + 1 >= READ_ATTEMPTS else ReadBack)


# ---------------------------------------------------------------- recognising our own


@pytest.mark.parametrize(
    ("posted", "read"),
    [
        ("Yes", "yes"),
        ("Yes, it is", "@ana @bob Yes,   it is"),
        ("**Yes**, it is", "Yes, it is"),
        ("A & B <now>", "A &amp; B &lt;now&gt;"),
        ("See https://acme.example/help/very/long now", "See https://t.co/Ab1 now"),
        ("See acme.example/help now", "See https://t.co/Ab1 now"),
        ("https://acme.example/help", "https://t.co/Ab1"),
        ("@ana https://acme.example/help", "https://t.co/Ab1"),
        ("👍", "👍\ufe0f"),
        ("👍 https://acme.example/a", "👍 https://t.co/Ab1"),
        ("Café", "Cafe\u0301"),
        (TEXT + " And thank you for telling us.", TEXT + " And than…"),
        (TEXT + " https://acme.example/1", TEXT + " https://t.co/Ab1"),
    ],
)
def test_the_same_answer_is_recognised_as_platforms_rewrite_it(posted: str, read: str) -> None:
    assert same_text(posted, read)
    assert same_text(read, posted)


@pytest.mark.parametrize(
    ("posted", "other"),
    [
        ("Yes", "Yes, it is"),
        ("Yes", "No"),
        ("👍", "👎"),
        ("👍", "👍👍"),
        ("", "Yes"),
        ("https://acme.example/help", "See https://acme.example/help"),
        ("https://acme.example/a https://acme.example/b", "https://t.co/Ab1"),
        ("Sorry, we are on it", "Sorry, we are on it, and here is your refund"),
        ("@ana", "@bob Yes"),
        (TEXT, "Sorry about that! We have found your order, it arrives on Monday."),
    ],
)
def test_another_answer_is_not_mistaken_for_it(posted: str, other: str) -> None:
    assert not same_text(posted, other)
    assert not same_text(other, posted)


texts = st.text(max_size=80) | st.text(alphabet="Yes, it. @ana#👍 \nhttps://a.b/c", max_size=80)


@given(texts)
def test_a_text_is_itself(text: str) -> None:
    assert same_text(text, text)


@given(texts, texts)
def test_sameness_goes_both_ways(left: str, right: str) -> None:
    assert same_text(left, right) == same_text(right, left)


VOCABULARY = ("sorry", "we", "are", "on", "it", "refund", "parcel", "friday", "äöü", "退款")
words = st.lists(st.sampled_from(VOCABULARY), min_size=1)


@given(words, st.sampled_from(["", "@ana ", "@a @b_c "]), st.sampled_from([" ", "\n", "  "]))
def test_names_space_and_case_make_no_difference(said: list[str], names: str, gap: str) -> None:
    assert same_text(" ".join(said), names + gap.join(said).upper().lower().capitalize())


@given(words, st.integers(0, 5))
def test_where_a_link_leads_makes_no_difference(said: list[str], at: int) -> None:
    ours = [*said[:at], "https://acme.example/help?a=1", *said[at:]]
    theirs = [*said[:at], "https://t.co/xYz", *said[at:]]
    assert same_text(" ".join(ours), " ".join(theirs))


@given(words, words)
def test_short_texts_are_the_same_only_with_the_same_letters(a: list[str], b: list[str]) -> None:
    left, right = "".join(a), "".join(b)
    if min(len(left), len(right)) < send_rules.PREFIX:
        assert same_text(" ".join(a), " ".join(b)) == (left == right)


@given(st.none() | st.floats(0, 900))
def test_a_platform_that_is_busy_for_half_a_minute_uses_up_no_reply(
    retry_after_s: float | None,
) -> None:
    """Whatever it says each time: read-backs and attempts rest longer and longer."""
    reads = [
        send_rules.after_unreadable("busy", failures=n, now=NOON, retry_after_s=retry_after_s)
        for n in range(READ_ATTEMPTS - 1)
    ]
    refused = Refused(reason="busy", permanent=False, retry_after_s=retry_after_s)
    sends = [
        send_rules.after_attempt(refused, attempts=n, now=NOON, settle_s=1.0, confirm_after_s=1.0)
        for n in range(1, ATTEMPTS)
    ]
    for tries in (reads, sends):
        rests_s = [
            (one.at - NOON).total_seconds() for one in tries if isinstance(one, ReadBack | Queue)
        ]
        assert len(rests_s) == len(tries)
        assert sum(rests_s) >= 30
        assert min(rests_s) >= (retry_after_s or 0.0) - 1e-6
