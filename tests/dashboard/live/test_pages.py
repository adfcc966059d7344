"""Live pages hear of every event once, in time, and only of their own brand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text
from sqlalchemy.orm import Session

from dashboard.live import broadcast as broadcast_module
from dashboard.live.broadcast import Broadcast, Full, Subscription
from dashboard.live.event_cursor import EventCursor, parse
from dashboard.live.event_reader import HOLE_TIMEOUT_S, EventReader, newest, unseen
from dashboard.live.notifications import CHANGED_IDS, NEW_IDS, Notification, as_message
from dashboard.live.pages import Stream, counts
from earshot.database import db
from earshot.database.tables import BacklogRow, EventRow, Table
from earshot.domain import ItemFlag
from tests.builders import NOON
from tests.dashboard.world import World


def event(kind: str = "item.queued", item: int | None = 1, **changes: Any) -> dict[str, Any]:
    return {
        "brand": "acme",
        "at": NOON,
        "actor": "role:route",
        "kind": kind,
        "item_id": item,
        "subject": str(item),
        "before": None,
        "after": {"text": "SECRET"},
        "why": None,
    } | changes


def write(sessions: db.Sessions, *events: dict[str, Any]) -> None:
    with sessions.begin() as session:
        session.execute(insert(EventRow), list(events))


@pytest.fixture
def sessions(database_url: str) -> Iterator[db.Sessions]:
    engine = db.connect(database_url)
    Table.metadata.create_all(engine)
    yield db.open_sessions(engine)
    engine.dispose()


@pytest.fixture
def broadcast(sessions: db.Sessions) -> Iterator[Broadcast]:
    made = Broadcast(db.open_readers(sessions.kw["bind"]), counts)
    yield made
    made.shutdown()
    made.join()


def messages(raw: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The id and the content of each message in a piece of a stream."""
    found = []
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
        if "data" in fields:
            found.append((fields["id"], json.loads(fields["data"])))
    return found


def heard(subscription: Subscription, seconds: float = 3.0) -> list[tuple[str, dict[str, Any]]]:
    """What a stream is told until it has been silent for one poll and a half."""
    found = messages(subscription.first)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        raw = subscription.next(broadcast_module.POLL_EVERY_S * 1.5)
        if not raw:
            break
        found += messages(raw)
    return found


def changed(found: list[tuple[str, dict[str, Any]]]) -> list[int]:
    return [
        int(item["id"])
        for _, message in found
        for item in message.get("item.changed", {}).get("items", ())
    ]


# ------------------------------------------------------------------ the message


def notification(
    seq: int, kind: str = "item.queued", item: int | None = 1, **more: Any
) -> Notification:
    return Notification(
        seq=seq, brand="acme", kind=kind, item_id=item, subject="s", actor="person:1", **more
    )


def test_a_burst_of_new_items_is_one_message_with_a_count_and_the_newest_ids() -> None:
    message = as_message(notification(n, "mention.new", n, state="new") for n in range(1, 3_001))
    assert message["mention.new"]["n"] == 3_000
    assert message["mention.new"]["ids"] == [str(n) for n in range(3_001 - NEW_IDS, 3_001)]
    assert message.keys() == {"mention.new"}


def test_an_item_that_changed_twice_is_told_once_with_the_last_actor() -> None:
    message = as_message(
        [notification(1, client="tab-1"), notification(2, item=2), notification(3, client="b")]
    )
    assert message["item.changed"] == {
        "n": 2,
        "items": [
            {"id": "2", "by": "person:1", "client": ""},
            {"id": "1", "by": "person:1", "client": "b"},
        ],
    }


def test_an_item_that_arrived_and_was_routed_in_one_beat_is_only_new() -> None:
    message = as_message(
        [notification(1, "mention.new", state="new"), notification(2, "item.queued")]
    )
    assert message == {"mention.new": {"n": 1, "ids": ["1"]}}


def test_a_mention_that_went_past_triage_is_a_change_and_not_new() -> None:
    message = as_message(
        [notification(1, "mention.new", state="queued"), notification(2, "mention.new", 2)]
    )
    assert message.keys() == {"item.changed"}
    assert message["item.changed"]["n"] == 2


def test_ids_are_text_because_javascript_rounds_such_numbers() -> None:
    big = 2**63 - 1
    assert as_message([notification(1, item=big)])["item.changed"]["items"][0]["id"] == str(big)


def test_events_of_no_item_and_no_source_concern_no_page() -> None:
    assert as_message([notification(1, "person.signed_in", None)]) == {}
    assert as_message([notification(1, "source.gap", None)]) == {
        "source.health": {"sources": ["s"]}
    }


@given(st.lists(st.integers(1, 400)))
def test_a_message_is_bounded_and_counts_what_it_leaves_out(items: list[int]) -> None:
    message = as_message(notification(n, item=item) for n, item in enumerate(items))
    if items:
        assert message["item.changed"]["n"] == len(set(items))
        assert len(message["item.changed"]["items"]) == min(CHANGED_IDS, len(set(items)))


# ------------------------------------------------------------------ the event reader


def test_a_tail_starts_at_the_end_and_reads_each_event_once(sessions: db.Sessions) -> None:
    write(sessions, event(item=1), event(item=2))
    with sessions.begin() as session:
        event_reader = EventReader(newest(session), 0)
        assert event_reader.read(session, 0) == []
    write(sessions, event(item=3), event(item=4))
    with sessions.begin() as session:
        assert [h.item_id for h in event_reader.read(session, 1)] == [3, 4]
        assert event_reader.read(session, 2) == []


@pytest.mark.services
def test_an_event_that_commits_late_is_neither_lost_nor_doubled(
    postgres_sessions: db.Sessions,
) -> None:
    late = postgres_sessions()
    late.begin()
    with postgres_sessions.begin() as reading:
        event_reader = EventReader(newest(reading), 0)
    late.execute(insert(EventRow), [event(item=1)])  # its number is taken, it is not seen
    late.flush()
    write(postgres_sessions, event(item=2))
    with postgres_sessions.begin() as reading:
        assert [h.item_id for h in event_reader.read(reading, 1)] == [2]
    between = event_reader.position
    late.commit()
    late.close()
    write(postgres_sessions, event(item=3))
    with postgres_sessions.begin() as reading:
        assert [h.item_id for h in event_reader.read(reading, HOLE_TIMEOUT_S / 2)] == [1, 3]
        assert event_reader.read(reading, HOLE_TIMEOUT_S) == []
        # A browser that was told of 2 and comes back to another process gets 1 and 3, once.
        again = parse(str(between))
        assert again is not None
        assert [h.item_id for h in unseen(reading, again, brand="acme")] == [1, 3]


@pytest.mark.services
def test_an_event_that_was_open_when_the_tail_started_is_read(
    postgres_sessions: db.Sessions,
) -> None:
    with postgres_sessions() as late:
        late.begin()
        late.execute(insert(EventRow), [event(item=1)])
        late.flush()
        write(postgres_sessions, event(item=2))
        with postgres_sessions.begin() as reading:
            event_reader = EventReader(newest(reading), 0)
        late.commit()
    with postgres_sessions.begin() as reading:
        assert [h.item_id for h in event_reader.read(reading, 1)] == [1]


@pytest.mark.services
def test_a_number_of_a_rolled_back_transaction_is_not_waited_for_forever(
    postgres_sessions: db.Sessions,
) -> None:
    with postgres_sessions.begin() as reading:
        event_reader = EventReader(newest(reading), 0)
    with postgres_sessions() as failed:
        failed.begin()
        failed.execute(insert(EventRow), [event(item=1)])
        failed.rollback()
    write(postgres_sessions, event(item=2))
    with postgres_sessions.begin() as reading:
        event_reader.read(reading, 1)
        assert len(event_reader.position.holes) == 1
        event_reader.read(reading, 1 + HOLE_TIMEOUT_S + 0.1)
        assert event_reader.position == EventCursor(event_reader.position.high)


@pytest.fixture
def postgres_sessions(postgres_url: str) -> Iterator[db.Sessions]:
    from tests.services import postgres

    with postgres.fresh_database(postgres_url) as url:
        engine = db.connect(url)
        Table.metadata.create_all(engine)
        yield db.open_sessions(engine)
        engine.dispose()


@pytest.mark.services
def test_many_writers_at_once_lose_and_double_nothing(postgres_sessions: db.Sessions) -> None:
    with postgres_sessions.begin() as reading:
        event_reader = EventReader(newest(reading), 0)

    def writer(number: int) -> None:
        for batch in range(20):
            with postgres_sessions.begin() as session:
                rows = [event(item=number * 10_000 + batch * 10 + n) for n in range(5)]
                session.execute(insert(EventRow), rows[:2])
                time.sleep(0.002 * (number + 1))
                session.execute(insert(EventRow), rows[2:])

    writers = [threading.Thread(target=writer, args=(n,)) for n in range(4)]
    for thread in writers:
        thread.start()
    found: list[int | None] = []
    while any(thread.is_alive() for thread in writers):
        with postgres_sessions.begin() as reading:
            found += [h.item_id for h in event_reader.read(reading, 1)]
    with postgres_sessions.begin() as reading:
        found += [h.item_id for h in event_reader.read(reading, 1)]
    assert len(found) == len(set(found)) == 4 * 20 * 5


# ------------------------------------------------------------------ the broadcast


def test_a_stream_hears_only_of_its_brand_and_never_content(
    broadcast: Broadcast, sessions: db.Sessions
) -> None:
    stream = broadcast.subscribe("acme", None, 10)
    write(sessions, event(item=7), event(item=8, brand="zen"))
    found = heard(stream)
    assert changed(found) == [7]
    assert "SECRET" not in json.dumps(found)


def test_an_act_is_heard_within_a_second_and_its_counts_within_two(
    broadcast: Broadcast, sessions: db.Sessions
) -> None:
    stream = broadcast.subscribe("acme", EventCursor(0), 10)
    started = time.monotonic()
    write(sessions, event(item=7))
    first = messages(stream.next(5) or b"")
    assert changed(first) == [7]
    assert time.monotonic() - started < 1
    while not any("board.tick" in message for _, message in first):
        first += messages(stream.next(2) or b"")
    assert time.monotonic() - started < 2


def test_breaking_off_at_any_message_and_coming_back_hears_each_event_once(
    broadcast: Broadcast, sessions: db.Sessions
) -> None:
    last: EventCursor | None = EventCursor(0)
    found: list[int] = []
    for start in range(1, 40, 8):
        stream = broadcast.subscribe("acme", last, 10)
        write(sessions, *[event(item=n) for n in range(start, start + 4)])
        told_now = heard(stream)
        found += changed(told_now)
        last = parse(told_now[-1][0])
        broadcast.leave(stream)
        write(sessions, *[event(item=n) for n in range(start + 4, start + 8)])
    found += changed(heard(broadcast.subscribe("acme", last, 10)))
    assert found == list(range(1, 41))


def test_another_process_takes_a_browser_over_without_loss_or_doubling(
    broadcast: Broadcast, sessions: db.Sessions
) -> None:
    other = Broadcast(db.open_readers(sessions.kw["bind"]), counts)
    try:
        first = broadcast.subscribe("acme", EventCursor(0), 10)
        slow = other.subscribe("acme", EventCursor(0), 10)  # its thread last read before the write
        write(sessions, event(item=1))
        found = heard(first)
        assert changed(found) == [1]
        again = other.subscribe("acme", parse(found[-1][0]), 10)
        assert changed(heard(again)) == []
        assert changed(heard(slow)) == [1]
    finally:
        other.shutdown()
        other.join()


def test_who_missed_too_much_is_told_to_read_anew(
    broadcast: Broadcast, sessions: db.Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "STALE_AFTER", 3)
    write(sessions, *[event(item=n) for n in range(1, 6)])
    assert messages(broadcast.subscribe("acme", EventCursor(1), 10).first)[0][1]["stale"] is True
    assert (
        messages(broadcast.subscribe("acme", EventCursor(10**6), 10).first)[0][1]["stale"] is True
    )
    assert "stale" not in messages(broadcast.subscribe("acme", EventCursor(4), 10).first)[0][1]


def test_streams_over_the_limit_are_refused_and_a_place_comes_free(broadcast: Broadcast) -> None:
    first = broadcast.subscribe("acme", None, 1)
    with pytest.raises(Full):
        broadcast.subscribe("acme", None, 1)
    broadcast.leave(first)
    broadcast.subscribe("acme", None, 1)


def test_a_page_that_does_not_read_is_cut_off_instead_of_filling_memory(
    broadcast: Broadcast, sessions: db.Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "QUEUE_LIMIT", 2)
    stream = broadcast.subscribe("acme", None, 10)
    for item in range(4):
        write(sessions, event(item=item))
        broadcast.poll_once()
    assert broadcast.streams == 0
    assert [stream.next(0) for _ in range(3)][-1] is None


def test_shutdown_ends_open_streams_at_once(broadcast: Broadcast) -> None:
    stream = Stream(broadcast, broadcast.subscribe("acme", None, 10), lambda: True)
    next(stream)
    threading.Timer(0.1, broadcast_module.shutdown).start()
    started = time.monotonic()
    assert list(stream) == []
    assert time.monotonic() - started < 1
    with pytest.raises(Full):
        broadcast.subscribe("acme", None, 10)


def test_a_stream_ends_after_its_life_and_beats_while_it_waits(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.live.pages.HEARTBEAT_S", 0.01)
    now = 0.0
    stream = Stream(broadcast, broadcast.subscribe("acme", None, 10), lambda: True, lambda: now)
    assert next(stream).startswith(b"retry: 2000\nid: ")
    assert next(stream) == b": keep-alive\n\n"
    now = 30 * 60
    assert list(stream) == []


def test_the_thread_survives_a_database_that_is_away(
    sessions: db.Sessions, broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast_module, "AFTER_ERROR_S", 0.1)
    stream = broadcast.subscribe("acme", None, 10)
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE event RENAME TO away"))
    time.sleep(0.8)
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE away RENAME TO event"))
    write(sessions, event(item=5))
    assert changed(messages(stream.next(3) or b"")) == [5]


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_counts_are_those_of_the_backlog(data: st.DataObject) -> None:
    engine = db.connect("sqlite://")
    Table.metadata.create_all(engine)
    keys = st.tuples(
        st.sampled_from(["new", "queued", "snoozed"]),
        st.sampled_from(["negative", "positive"]),
        st.integers(0, 7),
        st.integers(0, 3),
    )
    rows = data.draw(st.dictionaries(keys, st.integers(1, 9)))
    with Session(engine) as session:
        session.execute(delete(BacklogRow))
        for (state, sentiment, flags, slot), n in rows.items():
            key = {"brand": "acme", "team": "", "state": state, "sentiment": sentiment}
            session.execute(insert(BacklogRow).values(flags=flags, slot=slot, n=n, **key))
        found = counts(session, "acme")
    engine.dispose()
    assert found["open"] == sum(rows.values())
    assert found["triage"] == sum(n for key, n in rows.items() if key[0] == "new")
    assert found["vip"] == sum(
        n for key, n in rows.items() if key[0] == "new" and key[2] & ItemFlag.VIP
    )


# ------------------------------------------------------------------ the routes


@pytest.fixture
def live_world(world: World) -> Iterator[World]:
    yield world
    broadcast_module.shutdown()
    if found := world.app.extensions.get("earshot.live"):
        found.join()


def test_the_stream_needs_a_sign_in_and_is_never_cached(live_world: World) -> None:
    assert live_world.browser().get("/stream").status_code == 302
    answer = live_world.browser("bob").get("/stream")
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Accel-Buffering"] == "no"
    answer.close()
    assert live_world.app.extensions["earshot.live"].streams == 0


def test_a_stream_over_the_cap_is_asked_to_come_back_later(live_world: World) -> None:
    bob = live_world.browser("bob")
    held = [bob.get("/stream") for _ in range(64 - 32)]
    refused = bob.get("/stream")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert bob.get("/poll").status_code == 200
    for answer in held:
        answer.close()
    again = bob.get("/stream")
    assert again.status_code == 200
    again.close()


def test_a_poll_says_what_happened_since_and_304_while_nothing_does(live_world: World) -> None:
    bob = live_world.browser("bob")
    first = bob.get("/poll?last=0")
    assert first.get_json() == {"counts": counts_of(live_world), "last": "0"}
    etag = first.headers["ETag"]
    assert bob.get("/poll?last=0", If_None_Match=etag).status_code == 304
    write(live_world.sessions, event(item=5), event(item=6, brand="zen"))
    second = bob.get("/poll?last=0", If_None_Match=etag)
    assert [item["id"] for item in second.get_json()["item.changed"]["items"]] == ["5"]
    third = bob.get(f"/poll?last={second.get_json()['last']}")
    assert "item.changed" not in third.get_json()


def counts_of(world: World) -> dict[str, int]:
    return dict(world.read(lambda session: counts(session, "acme")))


@pytest.mark.parametrize("last", ["", "x", "-1", "9" * 50, "5~9-1", "'; drop table event"])
def test_a_position_that_makes_no_sense_is_answered_with_a_fresh_start(
    live_world: World, last: str
) -> None:
    write(live_world.sessions, event(item=5))
    answer = live_world.browser("bob").get("/poll", Last_Event_ID=last).get_json()
    assert answer["stale"] is True
    assert parse(answer["last"]) is not None
