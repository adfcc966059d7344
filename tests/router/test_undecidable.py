"""A mention that nothing can be decided about is set aside by itself, and the rest is stored."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from earshot.database.db import Sessions
from earshot.database.tables import DeadLetterRow, ItemRow
from earshot.domain import Classified
from earshot.log import dead_letters
from earshot.log.memory import MemoryLog
from earshot.log.topics import CLASSIFIED, TOPICS, Malformed
from earshot.runtime.metrics import Metrics
from earshot.runtime.stage import Stage
from earshot.runtime.telemetry import Probe
from operations import dead_letter_store
from router.policy.policy import Policy
from router.route import Router
from tests.builders import NOON, a_classified, an_author
from tests.router.policies import a_policy
from tests.router.streams import OUTAGE, POLICY, QUESTION

LAST_MINUTE = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
"""A promise of a quarter of an hour from here falls due after the last day that there is."""

BEYOND_THE_CALENDAR = a_policy(
    ('office: {hours: {mon-fri: "08:00-20:00"}}', 'office: {hours: {mon: "08:00-08:01"}}'),
    ("first_reply: 2h", "first_reply: 1m"),
    ("next_reply: 4h", "next_reply: 1m"),
)


class Installation:
    """A log, a router that reads it, and the grave of what it sets aside."""

    def __init__(self, sessions: Sessions, policy: Policy = POLICY) -> None:
        self.sessions = sessions
        self.batches: list[int] = []
        self.log = MemoryLog()
        self.log.create({name: 1 for topic in TOPICS for name in (topic.name, topic.dead)})
        router = Router(sessions, {"acme": policy}, lambda: NOON)

        def handle(batch: Sequence[Classified]) -> Sequence[Classified]:
            self.batches.append(len(batch))
            router.handle(batch)
            return ()

        self.stage: Stage[Classified, Classified] = Stage(
            source=CLASSIFIED,
            sink=None,
            handle=handle,
            metrics=Metrics("route"),
            probe=Probe(time.monotonic),
            clock=lambda: NOON,
            monotonic=time.monotonic,
        )

    def publish(self, *batch: Classified) -> None:
        producer = self.log.producer()
        for one in batch:
            producer.send(CLASSIFIED.name, CLASSIFIED.key(one), CLASSIFIED.encode(one), {})
        producer.flush()

    def route(self) -> int:
        """Handle all that waits, and bury what was set aside; how many records that were."""
        consumer, producer, total = (
            self.log.consumer(CLASSIFIED.name, "route"),
            self.log.producer(),
            0,
        )
        while n := self.stage.step(consumer, producer, timeout_s=0.01):
            total += n
        consumer.close()
        grave = self.log.consumer(CLASSIFIED.dead, dead_letter_store.GROUP)
        while dead_letter_store.store_step(self.log, grave, self.sessions, NOON):
            continue
        grave.close()
        return total

    def threads(self) -> list[str]:
        with self.sessions() as session:
            return sorted(session.scalars(select(ItemRow.thread)))

    def letters(self) -> list[dead_letters.DeadLetter]:
        with self.sessions() as session:
            return dead_letters.waiting(session)


def asks(number: int, **changes: Any) -> Classified:
    """A question in a thread of its own."""
    defaults: dict[str, Any] = {"native_id": str(number), "thread": str(number)}
    return a_classified(**({"classification": QUESTION} | defaults | changes))


UNDECIDABLE: dict[str, dict[str, Any]] = {
    "a due time after the last day": {"classification": OUTAGE, "published_at": LAST_MINUTE},
    "a number that no database holds": {"author": an_author(reach=2**70)},
}


@pytest.mark.parametrize("kind", UNDECIDABLE)
def test_one_that_cannot_be_decided_is_set_aside_and_the_others_are_stored(
    sessions: Sessions, kind: str
) -> None:
    running = Installation(sessions)
    running.publish(*(asks(n, **(UNDECIDABLE[kind] if n == 3 else {})) for n in range(1, 7)))
    assert running.route() == 6
    assert running.threads() == [f"simulator:{n}" for n in (1, 2, 4, 5, 6)]
    (letter,) = running.letters()
    assert (letter.topic, CLASSIFIED.decode(letter.value).mention.native_id) == ("classified", "3")
    assert letter.reason
    assert running.log.lag(CLASSIFIED.name, "route") == 0


def test_the_reason_names_the_mention_and_what_went_wrong(sessions: Sessions) -> None:
    router = Router(sessions, {"acme": POLICY}, lambda: NOON)
    with pytest.raises(Malformed, match=r"simulator:9 .*can't be decided.*OverflowError.*range"):
        router.handle([asks(1), asks(9, **UNDECIDABLE["a due time after the last day"])])


def test_a_promise_that_its_calendar_cannot_keep_is_the_mentions_dead_letter(
    sessions: Sessions,
) -> None:
    closed = datetime(9999, 12, 31, 12, tzinfo=UTC)
    running = Installation(sessions, BEYOND_THE_CALENDAR)
    running.publish(asks(1), asks(2, published_at=closed), asks(3))
    running.route()
    assert running.threads() == ["simulator:1", "simulator:3"]
    assert len(running.letters()) == 1


def test_it_is_stored_when_it_is_retried_under_a_policy_that_can_decide_it(
    sessions: Sessions,
) -> None:
    running = Installation(sessions)
    running.publish(asks(1, **UNDECIDABLE["a due time after the last day"]))
    running.route()
    (letter,) = running.letters()
    with sessions.begin() as session:
        assert dead_letters.want_retry(session, [letter.id], "person:1", NOON) == 1
    shorter = Installation(sessions, a_policy(("first_reply: 15m", "first_reply: 1s")))
    producer = shorter.log.producer()
    with sessions.begin() as session:
        assert dead_letters.republish(session, producer, NOON) == 1
    assert shorter.route() == 1
    assert shorter.threads() == ["simulator:1"]
    with sessions() as session:
        assert session.scalars(select(DeadLetterRow.state)).all() == ["retried"]


def test_a_batch_is_decided_once_and_only_a_bad_one_is_divided(sessions: Sessions) -> None:
    good = Installation(sessions)
    good.publish(*(asks(n) for n in range(64)))
    good.route()
    assert good.batches == [64]
    bad = Installation(sessions)
    poison = UNDECIDABLE["a due time after the last day"]
    bad.publish(*(asks(100 + n, **(poison if n == 40 else {})) for n in range(64)))
    bad.route()
    assert len(bad.batches) <= 1 + 2 * 6  # halved until the one is found, never one by one
