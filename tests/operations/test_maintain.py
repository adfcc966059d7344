"""Upkeep: dead letters become rows, the log and the database are cleared, and many do no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import func, select, update

from earshot.database.db import Sessions
from earshot.database.tables import DeadLetterRow, EventRow, ItemRow, SourceHealthRow
from earshot.domain import ItemState
from earshot.items.events import EventKind
from earshot.log import dead_letters
from earshot.log.contract import Log
from earshot.log.memory import MemoryLog
from earshot.log.topics import MENTIONS, TOPICS
from earshot.runtime.metrics import Metrics
from earshot.settings import Retention
from operations import maintain
from operations.checks import roles
from operations.checks.finding import Well, Wrong
from operations.dead_letter_store import GROUP
from operations.retention import clock_watch
from operations.retention.clock_watch import ClockWatch
from operations.retention.purger import Purger
from tests.builders import NOON, ManualClock
from tests.rows import add_item, an_item

MINUTE = timedelta(minutes=1)


def a_log(clock: ManualClock) -> MemoryLog:
    log = MemoryLog(clock=lambda: clock().timestamp())
    log.create({name: 1 for topic in TOPICS for name in (topic.name, topic.dead)})
    return log


def set_aside(log: Log, count: int) -> None:
    """Put `count` records that no stage can read into the dead topic of the mentions."""
    producer = log.producer()
    for n in range(count):
        headers = {"topic": "mentions", "reason": "no JSON", "from": f"0:{n}"}
        producer.send(MENTIONS.dead, b"k", b"rubbish", headers)
    producer.flush()
    producer.close()


@dataclass
class Upkeep:
    """One maintainer over a log and a database, that does as many steps as it is told to."""

    sessions: Sessions
    log: Log
    clock: ManualClock
    stop: threading.Event = field(default_factory=threading.Event)
    metrics: Metrics = field(default_factory=lambda: Metrics("maintain"))

    def steps(self, *after_each: Callable[[], object], last: Callable[[], object] = int) -> None:
        """Start, do one step before each of `after_each` and one before `last`, and end."""
        left = [*after_each, last]
        self.stop.clear()

        def step_done() -> None:
            left.pop(0)()
            if not left:
                self.stop.set()

        maintain.run(
            self.sessions,
            self.log,
            metrics=self.metrics,
            clock=self.clock,
            stop=self.stop,
            every_s=0.0,
            step_done=step_done,
            retention_s=30 * 86_400 - 60,
            purge=Purger(Retention(days=30), self.sessions, monotonic=self.clock.monotonic).tick,
            doubts=ClockWatch(
                self.sessions, Metrics("maintain"), monotonic=self.clock.monotonic
            ).doubts,
            monotonic=self.clock.monotonic,
        )


@pytest.fixture
def upkeep(sessions: Sessions) -> Upkeep:
    clock = ManualClock()
    return Upkeep(sessions, a_log(clock), clock)


def letters(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(DeadLetterRow)) or 0


def test_dead_letters_become_rows_and_a_retried_one_goes_back_to_its_topic(
    upkeep: Upkeep,
) -> None:
    set_aside(upkeep.log, 3)
    upkeep.steps()
    assert letters(upkeep.sessions) == 3
    assert upkeep.log.lag(MENTIONS.dead, GROUP) == 0
    with upkeep.sessions.begin() as session:
        (first, *_) = session.scalars(select(DeadLetterRow.id).order_by(DeadLetterRow.id)).all()
        dead_letters.want_retry(session, [first], "person:1", upkeep.clock())
    upkeep.steps()
    assert [r.value for r in upkeep.log.read(MENTIONS.name, 0, 0, 10)] == [b"rubbish"]
    assert b'earshot_step_seconds_count{role="maintain"}' in upkeep.metrics.text()


def test_while_nobody_maintains_dead_letters_wait_and_none_is_lost(upkeep: Upkeep) -> None:
    upkeep.steps()
    set_aside(upkeep.log, 450)  # nobody is there: three portions wait in the log
    assert letters(upkeep.sessions) == 0
    assert upkeep.log.lag(MENTIONS.dead, GROUP) == 450
    upkeep.steps()
    assert letters(upkeep.sessions) == 450


def finding(sessions: Sessions, now: datetime) -> Well | Wrong:
    with sessions() as session:
        return roles.maintenance(session, now)


def test_doctor_says_that_nobody_maintains_since_when_and_what_that_means(
    upkeep: Upkeep,
) -> None:
    never = finding(upkeep.sessions, upkeep.clock())
    assert isinstance(never, Wrong)
    assert never.said.startswith("it was never done: no dead letter is shown or retried, nothing")
    upkeep.steps()
    assert isinstance(finding(upkeep.sessions, upkeep.clock() + 5 * MINUTE), Well)
    late = finding(upkeep.sessions, upkeep.clock() + 6 * MINUTE)
    assert isinstance(late, Wrong)
    assert late.said.startswith("it was last done at 2026-03-02 12:00 UTC: ")
    assert late.remedy == "start `earshot maintain`; it goes on where it was"


def test_that_somebody_maintains_is_noted_once_a_minute(upkeep: Upkeep) -> None:
    noted: list[datetime | None] = []

    def look() -> None:
        with upkeep.sessions() as session:
            noted.append(maintain.last_done(session))
        upkeep.clock.advance(30)

    upkeep.steps(look, look, last=look)
    assert noted == [NOON, NOON, NOON + MINUTE]


def end_items(sessions: Sessions, count: int) -> None:
    with sessions.begin() as session:
        session.add(SourceHealthRow(brand="acme", source="sim", platform="simulator", state="ok"))
        for n in range(count):
            ended = an_item(f"simulator:{n}", state=ItemState.CLOSED, source="sim", changed_at=NOON)
            add_item(session, ended)


def items(sessions: Sessions) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(ItemRow)) or 0


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(days=400)])
def test_a_step_of_the_clock_purges_and_trims_nothing_until_it_is_confirmed(
    upkeep: Upkeep, jump: timedelta
) -> None:
    """An hour ahead the oldest would be past every age by minutes, after 400 days all would."""
    log, clock = upkeep.log, upkeep.clock
    producer, consumer = log.producer(), log.consumer(MENTIONS.name, "classify")
    producer.send(MENTIONS.name, b"k", b"read by everybody")
    producer.flush()
    assert consumer.poll(1, 5.0)
    consumer.commit()
    end_items(upkeep.sessions, 1)

    def kept() -> tuple[int, int]:
        return items(upkeep.sessions), len(log.read(MENTIONS.name, 0, 0, 10))

    for _ in range(5):  # nearly a month goes by, as it should
        month = timedelta(days=30) - timedelta(minutes=30)
        upkeep.steps(partial(clock.advance, month.total_seconds() / 5))
    assert kept() == (1, 1)
    on = partial(clock.advance, 61)
    upkeep.steps(partial(clock.jump, seconds=jump.total_seconds()), on, on, on)
    upkeep.steps(on, on, on)  # started again
    assert kept() == (1, 1)
    with upkeep.sessions.begin() as session:
        clock_watch.confirm(session, clock(), "role:cli")
    upkeep.steps(on, on, on)
    assert kept() == (0, 0)


@contextmanager
def together(*acts: Callable[[], object]) -> Iterator[None]:
    """Do all at once, each in a thread of its own; raise what one of them raised."""
    wrong: list[BaseException] = []

    def safely(act: Callable[[], object]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 -- raised below, where a test sees it
            wrong.append(error)

    threads = [threading.Thread(target=safely, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def purged(sessions: Sessions, kind: EventKind, what: str) -> int:
    """How much the events of purging say went."""
    with sessions() as session:
        after = session.scalars(select(EventRow.after).where(EventRow.kind == kind)).all()
    return sum(one[what] for one in after if one)


def test_many_at_once_store_and_purge_everything_once(upkeep: Upkeep) -> None:
    set_aside(upkeep.log, 450)
    end_items(upkeep.sessions, 450)
    makers = [upkeep, *(Upkeep(upkeep.sessions, upkeep.log, upkeep.clock) for _ in range(3))]
    with together(*(partial(one.steps, *[int] * 3) for one in makers)):
        pass
    assert letters(upkeep.sessions) == 450
    upkeep.clock.advance(31 * 86_400)
    with upkeep.sessions.begin() as session:
        session.execute(update(DeadLetterRow).values(brand="acme", source="sim"))
        clock_watch.confirm(session, upkeep.clock(), "role:cli")
    with together(*(partial(one.steps, *[int] * 12) for one in makers)):
        pass
    assert (letters(upkeep.sessions), items(upkeep.sessions)) == (0, 0)
    assert purged(upkeep.sessions, EventKind.PURGE_ITEMS, "items") == 450
    assert purged(upkeep.sessions, EventKind.PURGE_LETTERS, "letters") == 450
