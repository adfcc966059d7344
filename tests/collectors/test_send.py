"""Replies on their way to the simulated platform: never lost, never twice, whatever happens."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from collectors.contract.source import Answer, Post
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.responder import SimulatorResponder
from collectors.platforms.simulator.source import Simulator
from collectors.send import Sender, run
from earshot.database import db
from earshot.database.tables import (
    AssignmentRow,
    ClockRow,
    EventRow,
    ItemRow,
    MentionRow,
    PersonRow,
    ReplyRow,
    ResponseRow,
)
from earshot.domain import ItemFlag, ItemState, Op, ReplyState
from tests.builders import NOON, ManualClock
from tests.collectors.delivery.outbox_world import (
    LEASE_S,
    Died,
    Reaper,
    a_sender,
    drive,
    next_moment,
    one_reply,
    states,
    store_replies,
)
from tests.rows import a_mention_row, database

WORLD = SimulatorConfig(rate=0, count=1_200, duplicate=0, edit=0, delete=0)
ROUGH = SimulatorConfig(
    rate=0,
    count=1_200,
    duplicate=0,
    edit=0,
    delete=0,
    refuse=0.15,
    lose_request=0.1,
    lose_answer=0.15,
    late_visibility_s=20,
    follow_up=0,
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "world.sqlite"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database(f"sqlite:///{tmp_path / 'earshot.db'}")
    yield made
    made.dispose()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def responder(store: Path, clock: ManualClock) -> Iterator[Callable[..., SimulatorResponder]]:
    made: list[SimulatorResponder] = []

    def make(config: SimulatorConfig = WORLD) -> SimulatorResponder:
        made.append(SimulatorResponder(config, store, clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


def answerable(store: Path, config: SimulatorConfig, clock: ManualClock, n: int) -> list[str]:
    """The native ids of `n` posts of the world that can be answered."""
    source = Simulator(config, store, clock)
    posts: list[Post] = []
    cursor, more = None, True
    while more:
        batch = source.poll("p0", cursor)
        posts, cursor, more = [*posts, *batch.posts], batch.cursor, batch.more
    source.close()
    found = [p.native_id for p in posts if p.can_reply and p.op is Op.CREATE]
    assert len(found) >= n
    return found[:n]


def on_platform(store: Path) -> Counter[str]:
    """The ground truth: how many posts stand there for each key."""
    with closing(sqlite3.connect(store)) as truth:
        return Counter(key for (key,) in truth.execute("SELECT key FROM reply"))


def item_of(engine: Engine, id: int = 1) -> ItemRow:
    with db.open_sessions(engine).begin() as session:
        found = session.get(ItemRow, one_reply(engine, id).item_id)
        assert found is not None
        return found


def change(engine: Engine, table: Any, **columns: Any) -> None:
    with db.open_sessions(engine).begin() as session:
        session.execute(update(table).values(**columns))


# ---------------------------------------------------------------- the whole way


def test_300_replies_on_a_rough_platform_stand_there_exactly_once(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    ids = answerable(store, ROUGH, clock, 300)
    store_replies(engine, ids)
    drive(engine, a_sender(engine, responder(ROUGH), clock), clock)
    with db.open_sessions(engine).begin() as session:
        replies = list(session.scalars(select(ReplyRow)))
        items = {row.id: row.state for row in session.execute(select(ItemRow.id, ItemRow.state))}
        closed = session.scalar(select(func.count()).select_from(ClockRow))
    truth = on_platform(store)
    assert max(truth.values()) == 1
    for reply in replies:
        if reply.state == ReplyState.CONFIRMED:
            assert truth[reply.key] == 1
            assert items[reply.item_id] == ItemState.ANSWERED
        else:
            assert (reply.state, truth[reply.key]) == (ReplyState.FAILED, 0)
            assert reply.error
            assert items[reply.item_id] == ItemState.ANSWERING
    confirmed = sum(reply.state == ReplyState.CONFIRMED for reply in replies)
    assert confirmed == sum(truth.values()) == closed
    assert confirmed >= 295


def test_a_sender_that_dies_at_any_step_leaves_a_reply_that_stands_once(
    tmp_path: Path, clock: ManualClock
) -> None:
    died = 0
    for at in range(60):
        folder = tmp_path / str(at)
        folder.mkdir()
        engine, store = database(f"sqlite:///{folder / 'e.db'}"), folder / "world.sqlite"
        responder = SimulatorResponder(WORLD, store, clock)
        store_replies(engine, answerable(store, WORLD, clock, 1))
        reaper = Reaper(at)
        try:
            drive(engine, a_sender(engine, responder, clock, reaper), clock)
        except Died:
            clock.advance(LEASE_S + 1)
            drive(engine, a_sender(engine, responder, clock, owner="next"), clock)
        assert states(engine) == {ReplyState.CONFIRMED: 1}, at
        assert on_platform(store) == {"key-1": 1}, at
        assert item_of(engine).state == ItemState.ANSWERED
        died += reaper.came
        responder.close()
        engine.dispose()
        if not reaper.came:
            break
    assert not reaper.came, "there are more steps than were tried"
    assert died >= 15


def test_two_senders_at_once_send_each_reply_once(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 40))
    start, errors = threading.Barrier(2), list[BaseException]()

    def work(sender: Sender) -> None:
        try:
            start.wait()
            while sender.tick():
                pass
        except BaseException as error:  # noqa: BLE001 -- shown by the test
            errors.append(error)

    senders = [a_sender(engine, responder(), clock, owner=owner) for owner in "ab"]
    threads = [threading.Thread(target=work, args=(sender,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    drive(engine, senders[0], clock)
    assert states(engine) == {ReplyState.CONFIRMED: 40}
    assert set(on_platform(store).values()) == {1}


# ---------------------------------------------------------------- what stops a reply


def test_a_reply_withdrawn_while_it_waits_never_goes_out(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    change(engine, ReplyRow, state=ReplyState.WITHDRAWN)
    assert a_sender(engine, responder(), clock).tick() == 0
    assert not on_platform(store)


def test_a_reply_waits_until_it_may_no_longer_be_undone(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    ids = answerable(store, WORLD, clock, 1)
    store_replies(engine, ids, not_before=NOON + timedelta(minutes=1))
    sender = a_sender(engine, responder(), clock)
    assert sender.tick() == 0
    clock.advance(61)
    assert sender.tick() == 1


def test_a_deleted_post_gives_the_item_back_with_the_reason(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    answerable(store, WORLD, clock, 1)
    store_replies(engine, ["no-such-post"])
    drive(engine, a_sender(engine, responder(), clock), clock)
    reply, item = one_reply(engine), item_of(engine)
    assert (reply.state, item.state, item.assignee_id) == ("failed", "answering", 1)
    assert reply.error == "The post was deleted, so there is nothing to answer."
    assert reply.text
    assert not on_platform(store)


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize(
    "doubt", ["edited", "wrote again", "wrote again, dated back", "answered already"]
)
def test_a_doubt_stops_a_reply_unless_a_person_insists(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
    *,
    doubt: str,
    forced: bool,
) -> None:
    (native_id,) = answerable(store, WORLD, clock, 1)
    store_replies(engine, [native_id], forced=forced)
    if doubt == "edited":
        change(engine, MentionRow, revision=1)
    elif doubt.startswith("wrote again"):
        later = clock.advance(5)
        claimed = NOON - timedelta(days=3_650) if doubt.endswith("dated back") else later
        with db.open_sessions(engine).begin() as session:
            row = a_mention_row("2", published_at=claimed, received_at=later, stored_at=later)
            row.item_id = one_reply(engine).item_id
            session.add(row)
    else:
        answered = one_reply(engine)
        held = SimulatorResponder(WORLD, store, clock)
        held.send(
            Answer(
                key="theirs",
                parent=native_id,
                thread=answered.thread,
                text="Solved by a colleague, in the app.",
                since=NOON,
            )
        )
        held.close()
        clock.advance(5)
    drive(engine, a_sender(engine, responder(), clock), clock)
    assert one_reply(engine).state == ("confirmed" if forced else "failed")
    assert on_platform(store)["key-1"] == int(forced)


def test_a_thread_that_can_never_be_read_fails_in_words(
    engine: Engine, store: Path, clock: ManualClock, responder: Callable[..., SimulatorResponder]
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    broken = responder()
    broken.close()  # its store can't be read any more: every call is a PlatformError
    drive(engine, a_sender(engine, broken, clock), clock)
    reply = one_reply(engine)
    assert reply.state == "failed"
    assert "the simulator's store" in reply.error


# ---------------------------------------------------------------- what a confirmation does


def test_a_confirmation_stops_the_clock_ends_the_assignment_and_tells_it_once(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    with db.open_sessions(engine).begin() as session:
        session.add(
            AssignmentRow(
                brand="acme",
                item_id=one_reply(engine).item_id,
                person_id=1,
                state="accepted",
                made_at=NOON,
                policy_version="1",
                explain={},
            )
        )
    clock.advance(30)
    drive(engine, a_sender(engine, responder(), clock), clock)
    with db.open_sessions(engine).begin() as session:
        (assignment,) = session.scalars(select(AssignmentRow))
        (closed,) = session.scalars(select(ClockRow))
        kinds = list(session.scalars(select(EventRow.kind).order_by(EventRow.seq)))
    item = item_of(engine)
    assert (item.state, item.assignee_id) == ("answered", None)
    assert (assignment.state, assignment.end_reason) == ("ended", "answered")
    assert (closed.metric, closed.person_id, closed.started_at) == ("first", 1, NOON)
    assert item.answered_at == closed.stopped_at == one_reply(engine).sent_at
    assert kinds == ["reply.sending", "reply.sent", "reply.confirmed", "item.answered"]


def test_a_second_answer_counts_as_next_and_not_as_first(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    change(engine, ItemRow, answered_at=NOON)
    drive(engine, a_sender(engine, responder(), clock), clock)
    with db.open_sessions(engine).begin() as session:
        assert list(session.scalars(select(ClockRow.metric))) == ["next"]
    assert item_of(engine).answered_at == NOON


def test_a_confirmation_of_history_counts_no_clock(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    change(engine, ItemRow, flags=ItemFlag.HISTORY, target="", target_s=0, due_at=None)
    drive(engine, a_sender(engine, responder(), clock), clock)
    assert (one_reply(engine).state, item_of(engine).state) == ("confirmed", "answered")
    with db.open_sessions(engine).begin() as session:
        assert list(session.scalars(select(ClockRow))) == []
        assert list(session.scalars(select(ResponseRow))) == []


@pytest.mark.parametrize("days_back", [0, 3_650])
def test_who_writes_while_the_answer_is_on_its_way_is_queued_again(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
    days_back: int,
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    sender = a_sender(engine, responder(), clock)
    published = clock.advance(10)
    clock.advance(1)
    assert sender.tick() == 1  # the answer leaves; what was written a second ago is unheard
    with db.open_sessions(engine).begin() as session:
        claimed = published - timedelta(days=days_back)
        row = a_mention_row("2", published_at=claimed, stored_at=clock.advance(1))
        row.item_id, row.received_at = one_reply(engine).item_id, published
        session.add(row)
    drive(engine, sender, clock)
    item = item_of(engine)
    assert one_reply(engine).state == "confirmed"
    assert (item.state, item.clock_started_at, item.reopened) == ("queued", published, 1)


def test_an_item_closed_by_hand_stays_closed_and_the_reply_is_still_confirmed(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 1))
    change(engine, ItemRow, state="dismissed")
    drive(engine, a_sender(engine, responder(), clock), clock)
    with db.open_sessions(engine).begin() as session:
        kinds = list(session.scalars(select(EventRow.kind).order_by(EventRow.seq)))
    assert (one_reply(engine).state, item_of(engine).state) == ("confirmed", "dismissed")
    assert kinds[-1] == "item.kept"


def test_a_failed_reply_of_an_item_that_nobody_holds_is_queued(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    answerable(store, WORLD, clock, 1)
    store_replies(engine, ["no-such-post"])
    change(engine, ItemRow, assignee_id=None)
    drive(engine, a_sender(engine, responder(), clock), clock)
    assert (one_reply(engine).state, item_of(engine).state) == ("failed", "queued")


def test_a_failed_reply_of_somebody_whose_account_was_closed_queues_the_item(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    responder: Callable[..., SimulatorResponder],
) -> None:
    answerable(store, WORLD, clock, 1)
    store_replies(engine, ["no-such-post"])
    change(engine, PersonRow, active=False)
    drive(engine, a_sender(engine, responder(), clock), clock)
    item = item_of(engine)
    assert (one_reply(engine).state, item.state, item.assignee_id) == ("failed", "queued", None)


# ---------------------------------------------------------------- a clock that is set


@pytest.mark.parametrize("away", [timedelta(hours=1), timedelta(days=400)])
@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_went_ahead_and_came_back_keeps_no_reply_waiting(
    engine: Engine,
    store: Path,
    clock: ManualClock,
    away: timedelta,
    *,
    restarted: bool,
) -> None:
    def theirs() -> datetime:
        return NOON + timedelta(seconds=clock.monotonic())  # the platform's own is right

    store_replies(engine, answerable(store, WORLD, clock, 2))
    responder = SimulatorResponder(WORLD, store, theirs)
    sender = a_sender(engine, responder, clock)
    at = sender.follow_clock(None)
    clock.jump(seconds=away.total_seconds())
    at = sender.follow_clock(at)
    while sender.tick():  # sent, and to be looked for a little later
        clock.advance(0.1)
    assert states(engine) == {ReplyState.SENT: 2}
    clock.jump(seconds=-away.total_seconds())
    sender.follow_clock(None if restarted else at)
    rest = next_moment(engine, clock)
    assert rest is not None
    assert rest <= 60
    drive(engine, sender, clock)
    assert states(engine) == {ReplyState.CONFIRMED: 2}
    assert set(on_platform(store).values()) == {1}
    responder.close()


# ---------------------------------------------------------------- the loop


def test_the_loop_ends_when_it_is_told_and_closes_what_it_used(
    engine: Engine, store: Path, clock: ManualClock
) -> None:
    store_replies(engine, answerable(store, WORLD, clock, 3))
    sender = a_sender(engine, SimulatorResponder(WORLD, store, clock), clock)
    stop, steps = threading.Event(), list[int]()

    def step_done() -> None:
        steps.append(1)
        clock.advance(next_moment(engine, clock) or 0)
        if states(engine) == {ReplyState.CONFIRMED: 3}:
            stop.set()

    run(sender, stop, 0.001, step_done)
    assert steps
    assert set(on_platform(store).values()) == {1}
