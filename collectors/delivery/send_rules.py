"""What to do with a reply, decided from what is in the thread and what an attempt gave. Pure.

The rules are those of a transactional outbox against a platform that may have no idempotency
of its own: nothing is sent twice because an attempt without a clear answer is *unknown*, and
only a thread that was read back twice without it proves that it isn't there.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.contract.source import Answer, Outcome, Refused, Seen, Sent, Thread, Unknown

READS = 2
"""How often a reply must be sought in vain, each after the settling time, to count as absent."""

ATTEMPTS = 8
"""How many refused attempts are made before a person is asked."""

READ_ATTEMPTS = 5
"""How many failed read-backs in a row are made before a person is asked."""

LONGEST_REST_S = 300.0
"""The longest rest between attempts where the platform does not ask for more."""

CLOCKS_DIFFER = timedelta(minutes=2)
"""A post of ours may carry a time this much before our own first attempt."""

PREFIX = 40
"""How many characters of the normalised text must agree where a platform cut off the end."""


# ---------------------------------------------------------------- before an attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceed:
    """Nothing speaks against sending."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlreadyPosted:
    """The reply is there already: an earlier attempt got through."""

    seen: Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A person has to look first; the text is kept."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the database knows about the mention that is answered, at the time of sending."""

    deleted: bool = False
    edited: bool = False
    author_wrote_again: bool = False
    can_reply: bool = True
    reply_bar: str = ""


def before_sending(
    answer: Answer, thread: Thread, context: Context, *, forced: bool, attempts: int
) -> Proceed | AlreadyPosted | Stop:
    """May `answer` go out now? `attempts` counts earlier attempts, `forced` a person's word."""
    own = find_own(answer, thread)
    if own is not None and attempts:
        return AlreadyPosted(seen=own)
    answered = any(seen.ours and seen.parent == answer.parent for seen in thread.posts)
    bars = (
        (thread.gone or context.deleted, "The post was deleted, so there is nothing to answer."),
        (
            not context.can_reply,
            context.reply_bar or "The platform does not allow a reply here.",
        ),
    )
    doubts = (
        (context.edited, "The author edited the post after this reply was written."),
        (context.author_wrote_again, "The author wrote again after this reply was written."),
        (answered, "One of our replies is already below this post."),
    )
    for stands_against, reason in bars if forced else (*bars, *doubts):
        if stands_against:
            return Stop(reason=reason)
    return Proceed()


# ---------------------------------------------------------------- after an attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Try again at `at`; the platform said that nothing was posted."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """Read the thread back at `at`."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """A person has to act."""

    reason: str


def after_attempt(
    outcome: Outcome, *, attempts: int, now: datetime, settle_s: float, confirm_after_s: float
) -> Sent | Queue | ReadBack | Fail:
    """What an attempt's outcome means; `attempts` includes the one just made."""
    match outcome:
        case Sent():
            return outcome
        case Unknown(reason=reason):
            return ReadBack(
                at=now + timedelta(seconds=max(settle_s, confirm_after_s)), reason=reason
            )
        case Refused(reason=reason, permanent=True):
            return Fail(reason=reason)
        case Refused(reason=reason, retry_after_s=retry_after_s):
            if attempts >= ATTEMPTS:
                return Fail(reason=f"{reason} (after {attempts} attempts)")
            rest_s = longer_s(min(LONGEST_REST_S, 2.0**attempts), retry_after_s)
            return Queue(at=now + timedelta(seconds=rest_s), reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    seen: Seen


def after_reading(
    answer: Answer,
    native_id: str,
    thread: Thread,
    *,
    reads: int,
    attempts: int,
    now: datetime,
    settle_s: float,
) -> Confirmed | Queue | ReadBack | Fail:
    """What a read-back means; `reads` counts the ones before it that saw nothing.

    With a `native_id` the platform had said yes: it is sought by that name, and never sent
    again. Without one it is sought by parent, text and time, and sent again when it is absent,
    at most `ATTEMPTS` times in all.
    """
    own = find_own(answer, thread, native_id)
    if own is not None:
        return Confirmed(seen=own)
    settle = timedelta(seconds=max(1.0, settle_s))
    if native_id:
        if reads + 1 >= READ_ATTEMPTS:
            return Fail(
                reason="The platform accepted the reply but does not show it: it may have been "
                "removed or hidden. Check the thread before you send it again."
            )
        return ReadBack(at=now + settle * 2**reads, reason="accepted, not visible yet")
    if reads + 1 < READS:
        return ReadBack(at=now + settle, reason="not visible yet")
    if attempts >= ATTEMPTS:
        return Fail(
            reason=f"None of {attempts} attempts got a response, and the thread has no reply."
        )
    return Queue(at=now, reason=f"not in the thread after {READS} checks: it was not posted")


def after_unreadable(
    reason: str, *, failures: int, now: datetime, retry_after_s: float | None
) -> ReadBack | Fail:
    """What a failed read-back means; `failures` counts those in a row before it."""
    if failures + 1 >= READ_ATTEMPTS:
        return Fail(
            reason=f"It is not known whether the reply was posted ({reason}). "
            "Check the thread before you send it again."
        )
    rest_s = longer_s(min(LONGEST_REST_S, 5.0 * 2**failures), retry_after_s)
    return ReadBack(at=now + timedelta(seconds=rest_s), reason=reason)


def longer_s(backoff_s: float, retry_after_s: float | None) -> float:
    """How long to rest, in seconds: at least as long as the platform says, and longer each time.

    A platform that is busy for a while may say "in a second" each time: taken at its word alone,
    all attempts would be used up before it has calmed down.
    """
    return max(backoff_s, retry_after_s or 0.0)


# ---------------------------------------------------------------- recognising our own


def find_own(answer: Answer, thread: Thread, native_id: str = "") -> Seen | None:
    """Our post in the thread that is `answer`: by its name, or by parent, text and time."""
    for seen in thread.posts:
        if native_id:
            if seen.native_id == native_id:
                return seen
        elif (
            seen.ours
            and seen.parent == answer.parent
            and seen.at >= answer.since - CLOCKS_DIFFER
            and same_text(seen.text, answer.text)
        ):
            return seen
    return None


def same_text(left: str, right: str) -> bool:
    """Whether two texts are one answer, as platforms rewrite it.

    Links, leading @names, entities, markup, case and white space are left out. What remains
    must agree; where both have `PREFIX` characters or more, the shorter may also begin the
    longer. Texts without a word (signs, links) must have the same signs, and links at the
    same places, whatever they lead to.
    """
    a, b = _bare(left), _bare(right)
    words, others = _NO_WORD.sub("", a), _NO_WORD.sub("", b)
    if not words or not others:
        return a == b
    if min(len(words), len(others)) < PREFIX:
        return words == others
    size = min(len(words), len(others))
    return words[:size] == others[:size]


_SOME_LINK = "\N{LINK SYMBOL}"
_LINK = re.compile(
    # a name of a host begins once: tried again at each of its parts, a long one takes for ever
    r"(?:https?://|www\.)\S+|(?<![\w-])(?<![\w-]\.)(?:[\w-]+\.)+[a-z]{2,}\b(?:/\S*)?",
    re.IGNORECASE,
)
_NAMES = re.compile(r"^(?:\s*@\S+)+")
_NO_WORD = re.compile(r"[\W_]+")
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufe0e\ufe0f]+")


def _bare(text: str) -> str:
    """Folded, without leading names and white space, and with one sign for each link."""
    folded = unicodedata.normalize("NFKC", html.unescape(text)).casefold()
    return _INVISIBLE.sub("", _LINK.sub(_SOME_LINK, _NAMES.sub("", folded)))
