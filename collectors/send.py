"""Shell: carry replies from the outbox to the platform, and read them back.

    claim (commit) → read the thread → decide → one attempt → settle (commit)
    claim (commit) → read the thread → confirmed | look again | queue again | ask a person

The intent is on record before any network call, one attempt at a time under a lease; an
attempt without a clear answer is read back before anything is tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.contract import rate_limits
from collectors.contract.source import PlatformError, Responder, Sent, Thread
from collectors.delivery import delivery_outcome, outbox, send_rules
from collectors.delivery.outbox import Claim
from collectors.delivery.send_rules import AlreadyPosted, Confirmed, Fail, Queue, ReadBack, Stop
from earshot.database.db import Sessions, readers_of
from earshot.domain import ReplyState
from earshot.runtime.crash_points import passed
from earshot.runtime.metrics import CounterName, Metrics

logger = logging.getLogger(__name__)

BATCH = 20
"""How many due replies one tick takes up."""

CALL_S = 20.0
"""The longest that reading and sending may take in all: less lease than this is too little."""


REPLY_COUNTERS: tuple[CounterName, ...] = (
    "replies_sent",
    "replies_confirmed",
    "replies_unknown",
    "replies_failed",
)


@dataclass(frozen=True)
class Sender:
    """The responders by source name, and what their work is recorded with."""

    responders: Mapping[str, Responder]
    sessions: Sessions
    metrics: Metrics
    clock: Callable[[], datetime]
    owner: str
    lease_s: float
    confirm_after_s: float
    reply_done: Callable[[], None] = lambda: None
    """Called after each reply that was taken up: a sign of life."""
    monotonic: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        for source, responder in self.responders.items():
            rate_limits.record(self.metrics, responder, source, self.clock())
            for name in REPLY_COUNTERS:
                self.metrics.add(name, 0, source=source)

    def tick(self) -> int:
        """Take up what is due; how many replies that were. Raises what the database raises."""
        began = self.monotonic()
        with readers_of(self.sessions).begin() as session:
            ids = outbox.due(session, list(self.responders), self.clock(), BATCH)
        taken = sum(self._take_up(reply_id) for reply_id in ids)
        if taken:
            self.metrics.observe("step_seconds", self.monotonic() - began)
        return taken

    def follow_clock(self, before: datetime | None) -> datetime:
        """The time now; when it is before `before` (None: unknown), correct what is on its way."""
        now = self.clock()
        if before is None or now < before - outbox.CLOCKS_DIFFER:
            with self.sessions.begin() as session:
                corrected = outbox.bring_back(session, now, self.lease_s)
            if corrected:
                logger.warning("the clock was set back", extra={"replies_corrected": corrected})
        return now

    def _take_up(self, reply_id: int) -> bool:
        with self.sessions.begin() as session:
            held = outbox.claim(session, reply_id, self.owner, self.clock(), self.lease_s)
            passed("send.claiming")
        if held is None:
            return False
        passed("send.claimed")
        responder = self.responders[held.source]
        if held.state is ReplyState.QUEUED:
            self._attempt(held, responder)
        else:
            self._read_back(held, responder)
        rate_limits.record(self.metrics, responder, held.source, self.clock())
        self.reply_done()
        return True

    # ------------------------------------------------------------ sending

    def _attempt(self, held: Claim, responder: Responder) -> None:
        try:
            thread = responder.read(held.answer)
        except PlatformError as error:
            self._not_attempted(held, error)
            return
        passed("send.read")
        with readers_of(self.sessions).begin() as session:
            context = outbox.context_of(session, held)
        decision = send_rules.before_sending(
            held.answer, thread, context, forced=held.forced, attempts=held.attempts
        )
        match decision:
            case AlreadyPosted(seen=seen):
                self._confirm(held, Confirmed(seen=seen))
                return
            case Stop(reason=reason):
                self._fail(held, reason)
                return
            case send_rules.Proceed():
                pass
        if held.lease_until - self.clock() < timedelta(seconds=CALL_S):
            # we were held up; an attempt now might overlap with the next owner's
            self._wait(held, ReplyState.QUEUED, self.clock(), "held up before the attempt")
            return
        outcome = responder.send(held.answer)
        passed("send.called")
        now = self.clock()
        result = send_rules.after_attempt(
            outcome,
            attempts=held.attempts + 1,
            now=now,
            settle_s=responder.settle_s,
            confirm_after_s=self.confirm_after_s,
        )
        match result:
            case Sent(native_id=native_id, url=url):
                self.metrics.add("replies_sent", source=held.source)
                confirm_at = now + timedelta(seconds=max(self.confirm_after_s, responder.settle_s))
                with self.sessions.begin() as session:
                    outbox.sent(session, held, native_id, url, now, confirm_at)
                    passed("send.storing")
                passed("send.stored")
            case Queue(at=at, reason=reason):
                self._wait(held, ReplyState.QUEUED, at, reason)
            case ReadBack(at=at, reason=reason):
                self.metrics.add("replies_unknown", source=held.source)
                self._wait(held, ReplyState.UNKNOWN, at, reason)
            case Fail(reason=reason):
                self._fail(held, reason)

    def _not_attempted(self, held: Claim, error: PlatformError) -> None:
        """The thread could not be read before sending: nothing was posted by this claim."""
        if error.permanent or held.attempts + 1 >= send_rules.ATTEMPTS:
            self._fail(held, str(error))
            return
        backoff_s = min(send_rules.LONGEST_REST_S, 2.0 ** (held.attempts + 1))
        rest_s = send_rules.longer_s(backoff_s, error.retry_after_s)
        at = self.clock() + timedelta(seconds=rest_s)
        logger.warning(
            "thread unreadable before sending",
            extra={"reply": held.id, "earlier_attempts": held.attempts, "reason": str(error)},
        )
        self._wait(held, ReplyState.QUEUED, at, str(error))

    # ------------------------------------------------------------ reading back

    def _read_back(self, held: Claim, responder: Responder) -> None:
        now = self.clock()
        try:
            thread: Thread = responder.read(held.answer)
        except PlatformError as error:
            decision: Confirmed | Queue | ReadBack | Fail = send_rules.after_unreadable(
                str(error), failures=held.unreadable, now=now, retry_after_s=error.retry_after_s
            )
            reads, unreadable = held.reads, held.unreadable + 1
        else:
            decision = send_rules.after_reading(
                held.answer,
                held.native_id,
                thread,
                reads=held.reads,
                attempts=held.attempts,
                now=now,
                settle_s=responder.settle_s,
            )
            reads, unreadable = held.reads + 1, 0
        passed("look.read")
        match decision:
            case Confirmed():
                self._confirm(held, decision)
            case Queue(at=at, reason=reason):
                self._wait(held, ReplyState.QUEUED, at, reason)
            case ReadBack(at=at, reason=reason):
                state = ReplyState.SENT if held.native_id else ReplyState.UNKNOWN
                self._wait(held, state, at, reason, reads=reads, unreadable=unreadable)
            case Fail(reason=reason):
                self._fail(held, reason)

    # ------------------------------------------------------------ settling

    def _confirm(self, held: Claim, decision: Confirmed) -> None:
        seen = decision.seen
        self.metrics.add("replies_confirmed", source=held.source)
        with self.sessions.begin() as session:
            delivery_outcome.confirmed(
                session, held, seen.native_id, seen.url, seen.at, self.clock()
            )
            passed("look.confirming")
        passed("look.confirmed")

    def _wait(
        self,
        held: Claim,
        state: ReplyState,
        at: datetime,
        reason: str,
        *,
        reads: int = 0,
        unreadable: int = 0,
    ) -> None:
        now = self.clock()
        with self.sessions.begin() as session:
            outbox.wait(session, held, state, at, reason, now, reads=reads, unreadable=unreadable)

    def _fail(self, held: Claim, reason: str) -> None:
        logger.warning("reply needs a person", extra={"reply": held.id, "reason": reason})
        self.metrics.add("replies_failed", source=held.source)
        with self.sessions.begin() as session:
            delivery_outcome.failed(session, held, reason, self.clock())


def run(
    sender: Sender, stop: threading.Event, every_s: float, step_done: Callable[[], None]
) -> None:
    """Tick until `stop` is set; an attempt in hand is finished first."""
    looked_at: datetime | None = None
    try:
        while not stop.is_set():
            looked_at = sender.follow_clock(looked_at)
            worked = sender.tick()
            step_done()
            stop.wait(0.0 if worked else every_s)
    finally:
        for responder in sender.responders.values():
            responder.close()
