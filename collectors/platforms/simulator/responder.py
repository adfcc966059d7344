"""The simulated platform to answer on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from collectors.contract.causes import Cause, Refusal, outcome_of
from collectors.contract.source import (
    Answer,
    Outcome,
    PlatformError,
    Seen,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.validation import utc_now
from collectors.platforms.simulator.address import (
    OurReply,
    native_id,
    url,
)
from collectors.platforms.simulator.config import REPLY_LENGTH, SimulatorConfig
from collectors.platforms.simulator.dice import mix, share
from collectors.platforms.simulator.platform import (
    NAME,
    RETRY_AFTER_S,
    TOO_MANY,
    US,
    WRITES_FAIL,
    Clock,
    SimulatedPlatform,
    Standing,
)
from collectors.platforms.simulator.store import Fate
from earshot.items.reply_length import tightest


class SimulatorResponder:
    """The world as a platform to answer on, with the faults that real ones have.

    It has no idempotency: the same answer sent twice is there twice.
    """

    platform = NAME

    def __init__(self, config: SimulatorConfig, store: Path, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._platform = SimulatedPlatform(config, store, clock)
        self.settle_s = config.late_visibility_s

    def send(self, answer: Answer) -> Outcome:
        try:
            return self._send(answer)
        except PlatformError as error:
            return Unknown(reason=str(error))

    def read(self, answer: Answer) -> Thread:
        now = self._clock()
        self._platform.require_fair_weather(now, but_for=WRITES_FAIL)
        parent = self._platform.standing(answer.parent, now)
        posts = [_seen(post) for post in self._platform.below(answer.parent, now)]
        return Thread(gone=parent is None, text=parent.text if parent else "", posts=posts)

    def close(self) -> None:
        self._platform.close()

    def _send(self, answer: Answer) -> Outcome:
        now = self._clock()
        parent = self._platform.standing(answer.parent, now)
        if parent is None:
            return _refused(Cause.GONE)
        if cause := _barred(parent, answer.text):
            return _refused(cause)
        storm = self._platform.store.storms(now)
        fate, reply = self._platform.store.attempt(
            replace(answer, thread=parent.thread),
            at=now,
            decide=lambda n: self._decide(n, now, storm),
        )
        match fate:
            case Fate.TAKEN:
                name = native_id(self._config.seed, OurReply(reply))
                return Sent(native_id=name, url=url(name))
            case Fate.REFUSED:
                return _refused(Cause.RATE_LIMIT, RETRY_AFTER_S)
            case Fate.REQUEST_LOST | Fate.ANSWER_LOST:
                return Unknown(reason="no answer in time")

    def _decide(self, attempt: int, now: datetime, storm: int) -> tuple[Fate, datetime]:
        """The fate of an attempt by its number, and when its reply will show.

        `storm` is the HTTP status of the storm that rages, 0 in fair weather.
        """
        config = self._config
        bits = mix(mix(config.seed + 1) ^ attempt)
        if storm == TOO_MANY:
            return Fate.REFUSED, now
        if storm:  # of those that the server failed to answer, it has carried out half
            return (Fate.ANSWER_LOST if bits & 1 else Fate.REQUEST_LOST), now
        visible_at = now + timedelta(seconds=share(bits >> 32) * config.late_visibility_s)
        draw = share(bits)
        for fate, chance in (
            (Fate.REFUSED, config.refuse),
            (Fate.REQUEST_LOST, config.lose_request),
            (Fate.ANSWER_LOST, config.lose_answer),
        ):
            if draw < chance:
                return fate, visible_at
            draw -= chance
        return Fate.TAKEN, visible_at


def _barred(parent: Standing, text: str) -> Cause | None:
    """Why a text can't answer a post that is there."""
    if parent.locked:
        return Cause.LOCKED
    if not text.strip():
        return Cause.INVALID
    used, bound = tightest(text, REPLY_LENGTH)
    return Cause.TOO_LONG if used > bound.limit else None


def _refused(cause: Cause, wait_s: float | None = None) -> Outcome:
    return outcome_of("the simulator", Refusal(cause=cause, wait_s=wait_s))


def _seen(post: Standing) -> Seen:
    return Seen(
        native_id=post.native_id,
        parent=post.parent,
        text=post.text,
        at=post.at,
        ours=post.author is US,
        author=post.author.name,
        url=url(post.native_id),
    )
