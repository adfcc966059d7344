"""The conformance kit of responders: what every one of them must hold, in the same sentences.

A responder passes by being named: its platform's `world.py` has a `REPLIES`, which drives the
server that stands in for the platform. What really stands there is `posted`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from collectors.contract.causes import RULES, Cause
from collectors.contract.source import Answer, Outcome, Refused, Responder, Sent, Unknown
from collectors.delivery.send_rules import AlreadyPosted, Context, Stop, before_sending, find_own
from earshot.items.reply_length import ReplyLength, tightest

BUSY_S = 7.0


class ReplyWorld(Protocol):
    """A platform as the kit drives it: posts to answer, and mishaps on the way."""

    length: ReplyLength
    refuses: Mapping[Cause, object]
    """What the platform answers for each cause, for `refuse`; RATE_LIMIT is not among them."""
    sign: str
    """A character to fill a reply with; as many of it as fit are a reply of the greatest length."""

    def responder(self) -> Responder: ...

    def post(self, text: str = ...) -> Answer:
        """A new post that may be answered, and `text` in answer to it."""

    def posted(self) -> Sequence[str]:
        """The texts of the replies that stand there, whether or not the sender was told."""

    def settle(self) -> None:
        """Let as much time pass as a new reply may stay invisible."""

    def lose_answer(self) -> None:
        """Carry out the next reply, and lose the answer."""

    def lose_request(self) -> None:
        """Lose the next reply on its way there."""

    def post_that_is_gone(self) -> Answer:
        """An answer to a post that was there, and is not any more."""

    def post_that_is_locked(self) -> Answer | None:
        """An answer to a post that nobody may answer; None where the platform has no such thing."""

    def refuse(self, cause: Cause) -> None:
        """Refuse the next reply for this cause, in the platform's own words."""

    def busy(self) -> float:
        """Refuse the next reply for a rate limit; the wait that is told, in seconds."""

    def close(self) -> None: ...


def a_reply_is_sent_once_and_found_by_its_name(world: ReplyWorld) -> None:
    responder, answer = world.responder(), world.post()
    sent = responder.send(answer)
    assert isinstance(sent, Sent)
    assert sent.native_id
    world.settle()
    own = find_own(answer, responder.read(answer), sent.native_id)
    assert own is not None
    assert own.ours
    assert list(world.posted()) == [answer.text]
    responder.close()


def a_lost_answer_is_unknown_and_then_found_by_reading_back(world: ReplyWorld) -> None:
    world.lose_answer()
    responder, answer = world.responder(), world.post()
    assert isinstance(responder.send(answer), Unknown)
    world.settle()
    assert find_own(answer, responder.read(answer)) is not None
    assert list(world.posted()) == [answer.text]
    responder.close()


def a_lost_request_is_unknown_and_then_known_to_be_absent(world: ReplyWorld) -> None:
    world.lose_request()
    responder, answer = world.responder(), world.post()
    assert isinstance(responder.send(answer), Unknown)
    world.settle()
    assert find_own(answer, responder.read(answer)) is None
    assert list(world.posted()) == []
    responder.close()


def a_reply_that_stands_there_already_is_not_sent_again(world: ReplyWorld) -> None:
    world.lose_answer()
    responder, answer = world.responder(), world.post()
    responder.send(answer)
    world.settle()
    thread = responder.read(answer)
    decision = before_sending(answer, thread, Context(), forced=False, attempts=1)
    assert isinstance(decision, AlreadyPosted)
    responder.close()


def the_longest_reply_is_taken_and_one_sign_more_is_refused_as_too_long(world: ReplyWorld) -> None:
    responder = world.responder()
    longest = world.sign
    while _fits(longest + world.sign, world.length):
        longest += world.sign
    refused = responder.send(world.post(longest + world.sign))
    assert refused == _as_ruled(refused, Cause.TOO_LONG)
    assert list(world.posted()) == []
    assert isinstance(responder.send(world.post(longest)), Sent)
    responder.close()


def _fits(text: str, length: ReplyLength) -> bool:
    used, bound = tightest(text, length)
    return used <= bound.limit


def a_post_that_is_gone_stops_the_reply(world: ReplyWorld) -> None:
    responder, answer = world.responder(), world.post_that_is_gone()
    thread = responder.read(answer)
    assert thread.gone
    assert isinstance(before_sending(answer, thread, Context(), forced=True, attempts=0), Stop)
    responder.close()


def a_locked_thread_refuses_for_good(world: ReplyWorld) -> None:
    responder, answer = world.responder(), world.post_that_is_locked()
    if answer is not None:
        refused = responder.send(answer)
        assert refused == _as_ruled(refused, Cause.LOCKED)
    assert list(world.posted()) == []
    responder.close()


def a_rate_limit_is_waited_for_as_long_as_the_platform_says(world: ReplyWorld) -> None:
    wait_s = world.busy()
    responder, answer = world.responder(), world.post()
    refused = responder.send(answer)
    assert isinstance(refused, Refused)
    assert (refused.permanent, refused.retry_after_s) == (False, wait_s)
    assert list(world.posted()) == []
    responder.close()


def each_cause_is_told_and_tried_again_by_its_rule(world: ReplyWorld, cause: Cause) -> None:
    world.refuse(cause)
    responder, answer = world.responder(), world.post()
    outcome = responder.send(answer)
    assert outcome == _as_ruled(outcome, cause)
    assert list(world.posted()) == []
    responder.close()


def _as_ruled(outcome: Outcome, cause: Cause) -> Outcome:
    """What the cause's rule makes of a refusal, with the words that `outcome` has beside it."""
    rule, reason = RULES[cause], getattr(outcome, "reason", "")
    assert rule.words in reason
    if rule.again == "read back":
        return Unknown(reason=reason)
    permanent = rule.again == "never"
    return Refused(
        reason=reason, permanent=permanent, retry_after_s=None if permanent else rule.wait_s
    )
