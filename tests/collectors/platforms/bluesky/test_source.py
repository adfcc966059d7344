"""Bluesky through a real websocket and real XRPC, against a stream that behaves as Jetstream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.contract.source import (
    Answer,
    Batch,
    Cursor,
    PlatformError,
    Post,
    Refused,
    Sent,
    Unknown,
)
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import record_key, reply_record
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.bluesky.source import BlueskySource
from earshot.domain import TOMBSTONE, Op
from tests.builders import ManualClock
from tests.collectors.platforms.bluesky.server import DID, HANDLE, PASSWORD, BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply

PUT = "putRecord"


@pytest.fixture
def server() -> Iterator[BlueskyServer]:
    with BlueskyServer() as server:
        yield server


@pytest.fixture(params=["v2", "v1"])
def source(server: BlueskyServer, request: pytest.FixtureRequest) -> Iterator[BlueskySource]:
    source = BlueskySource(config(server, protocol=request.param))
    yield source
    source.close()


def config(server: BlueskyServer, **changes: Any) -> BlueskyConfig:
    settings = {
        "endpoint": server.stream_url,
        "service": server.url,
        "identifier": HANDLE,
        "password": PASSWORD,
        "timeout_s": 0.5,
    }
    return BlueskyConfig(**{**settings, **changes})


def collect(
    source: BlueskySource, wanted: int, cursor: Cursor | None = None
) -> tuple[list[Post], Cursor, list[Batch]]:
    """At least `wanted` posts (or what comes within some seconds), the cursor, the batches."""
    posts: list[Post] = []
    batches: list[Batch] = []
    deadline = time.monotonic() + 10
    while (len(posts) < wanted or cursor is None) and time.monotonic() < deadline:
        batch = source.poll("posts", cursor)
        batches.append(batch)
        posts += batch.posts
        cursor = batch.cursor
    assert cursor is not None
    return posts, cursor, batches


def answer(server: BlueskyServer, parent: str, text: str = "Sorry to hear that") -> Answer:
    to = server.reference(parent)
    address = {
        "uri": parent,
        "cid": to["parent"]["cid"],
        "root_uri": to["root"]["uri"],
        "root_cid": to["root"]["cid"],
    }
    since = datetime(2026, 3, 2, 12, tzinfo=UTC)
    thread = to["root"]["uri"]
    return Answer(key="k1", parent=parent, thread=thread, text=text, since=since, address=address)


def test_posts_edits_and_deletions_come_in_order(
    server: BlueskyServer, source: BlueskySource
) -> None:
    root = server.post("Acme is down")
    reply = server.post("Same here", "did:plc:bo", reply_to=root)
    server.edit(reply, "Same here!")
    server.delete(root)
    posts, _, _ = collect(source, 4)
    assert [(p.op, p.native_id, p.text) for p in posts] == [
        (Op.CREATE, root, "Acme is down"),
        (Op.CREATE, reply, "Same here"),
        (Op.EDIT, reply, "Same here!"),
        (Op.DELETE, root, ""),
    ]
    assert (posts[1].thread, posts[1].parent, posts[1].author.id) == (root, root, "did:plc:bo")
    assert 0 < posts[2].revision < posts[3].revision == TOMBSTONE
    assert posts[1].address["root_uri"] == root
    assert posts[1].address["uri"] == reply
    assert posts[0].lang == "en"


def test_a_post_that_dates_itself_ten_years_back_says_when_jetstream_had_it(
    server: BlueskyServer, source: BlueskySource
) -> None:
    claimed = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3_650)
    begun = datetime.now(UTC)
    uri = server.post("Acme is down", at=claimed)
    server.edit(uri, "Acme is down!")
    server.post("Acme?", at=datetime(1970, 1, 1, tzinfo=UTC))
    [post, edit, absurd], _, _ = collect(source, 3)
    assert (post.published_at, edit.published_at) == (claimed, claimed)
    for one in (post, edit, absurd):
        assert one.received_at is not None
        assert begun <= one.received_at <= datetime.now(UTC)
        assert not one.history
    assert post.edited_at is None
    assert edit.edited_at == edit.received_at
    assert absurd.published_at == absurd.received_at


def test_a_first_connection_begins_with_the_last_five_minutes(
    server: BlueskyServer, source: BlueskySource
) -> None:
    moment = datetime.now(UTC)
    clock = [moment]
    server.now = lambda: clock[0]
    for minutes in (60 * 24, 6, 4):
        clock[0] = moment - timedelta(minutes=minutes)
        server.post(f"{minutes} minutes ago")
    clock[0] = moment
    posts, _, _ = collect(source, 1)
    assert [(post.text, post.history) for post in posts] == [("4 minutes ago", False)]


def test_a_dropped_connection_is_taken_up_behind_the_cursor(
    server: BlueskyServer, source: BlueskySource
) -> None:
    first = server.post("one")
    posts, cursor, _ = collect(source, 1)
    server.drop()
    missed = {server.post(f"missed {n}") for n in range(30)}
    got = {first} - {p.native_id for p in posts}
    for _ in range(20):
        if missed <= got:
            break
        try:
            batch = source.poll("posts", cursor)
        except PlatformError:  # once, when the reader meets the end of the old connection
            continue
        cursor = batch.cursor
        got |= {post.native_id for post in batch.posts}
    assert missed <= got


def test_an_older_cursor_gives_the_same_posts_again(
    server: BlueskyServer, source: BlueskySource
) -> None:
    _, start, _ = collect(source, 0)
    made = [server.post(f"post {n}") for n in range(5)]
    first, _, _ = collect(source, 5, start)
    again, _, _ = collect(source, 5, start)
    assert [p.native_id for p in first] == [p.native_id for p in again] == made


def test_a_cursor_below_the_floor_is_a_gap_and_the_oldest_is_taken(server: BlueskyServer) -> None:
    source = BlueskySource(config(server))
    server.post("before")
    _, cursor, _ = collect(source, 1)
    source.close()
    for n in range(10):
        server.post(f"while away {n}")
    server.floor = 6
    posts, _, batches = collect(source, 6, cursor)
    assert [post.text for post in posts] == [f"while away {n}" for n in range(4, 10)]
    gaps = [batch.gap for batch in batches if batch.gap]
    assert len(gaps) == 1
    assert gaps[0].since is not None
    assert "no longer holds" in gaps[0].reason


def test_version_1_clamps_in_silence_and_we_say_so(server: BlueskyServer) -> None:
    clock = [datetime.now(UTC)]
    source = BlueskySource(config(server, protocol="v1"), now=lambda: clock[0])
    server.post("before")
    _, cursor, _ = collect(source, 1)
    source.close()
    clock[0] += timedelta(hours=25)
    server.post("after")
    _, _, batches = collect(source, 1, cursor)
    assert batches[0].gap is not None


def test_another_instance_is_entered_by_time(server: BlueskyServer) -> None:
    server.post("one")
    source = BlueskySource(config(server))
    _, cursor, _ = collect(source, 1)
    source.close()
    with BlueskyServer() as other:
        for n in range(3):
            other.post(f"elsewhere {n}")
        moved = BlueskySource(config(other))
        posts, cursor, _ = collect(moved, 3, cursor)
        assert [post.text for post in posts] == [f"elsewhere {n}" for n in range(3)]
        assert cursor["epoch"] == other.stream_url
        moved.close()


def test_an_account_that_leaves_is_reported_by_its_id(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("hi", "did:plc:bo")
    server.leave("did:plc:pause", "deactivated")
    server.leave("did:plc:bo")
    posts, _, _ = collect(source, 2)
    assert [(p.op, p.native_id, p.author.id) for p in posts[1:]] == [
        (Op.DELETE, "did:plc:bo", "did:plc:bo")
    ]


@pytest.mark.parametrize("status", ["suspended", "takendown"])
def test_an_account_that_is_taken_away_is_reported_and_a_new_name_is_not(
    server: BlueskyServer, source: BlueskySource, status: str
) -> None:
    server.rename("did:plc:bo", "bo.example.org")
    server.leave("did:plc:bo", status)
    server.post("and on")
    posts, _, batches = collect(source, 2)
    assert [(p.op, p.native_id) for p in posts][:1] == [(Op.DELETE, "did:plc:bo")]
    assert posts[1].text == "and on"
    assert not any(batch.rejected for batch in batches)


def test_a_post_that_can_not_be_read_is_kept_and_the_cursor_goes_past_it(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("one")
    flawed = server.post("two")
    payload = server.entries[-1].payload
    assert isinstance(payload, dict)
    payload["record"]["text"] = 7
    _, cursor, batches = collect(source, 1)
    while not any(batch.rejected for batch in batches):
        batches.append(source.poll("posts", cursor))
        cursor = batches[-1].cursor
    [rejected] = [rejected for batch in batches for rejected in batch.rejected]
    assert flawed.rpartition("/")[2].encode() in rejected.raw
    last = server.entries[-1]
    assert cursor["position"] in {last.seq, last.time_us}


def test_a_number_ahead_of_the_clock_does_not_move_the_cursor(server: BlueskyServer) -> None:
    source = BlueskySource(config(server, protocol="v1"))
    server.garble(b'{"did":"did:plc:a","time_us":9000000000000000,"kind":"identity"}')
    server.garble(b'{"did":"did:plc:a","time_us":"soon","kind":"identity"}')
    server.post("one")
    posts, cursor, batches = collect(source, 1)
    assert [post.text for post in posts] == ["one"]
    assert cursor["position"] == server.entries[-1].time_us
    assert sum(len(batch.rejected) for batch in batches) == 2
    source.close()


# ---------------------------------------------------------------- connections that end


def rests_of(
    source: BlueskySource, cursor: Cursor, polls: int
) -> tuple[list[float], list[Post], Cursor]:
    """The rests asked for in so many polls, the posts given, and the cursor behind them."""
    rests: list[float] = []
    posts: list[Post] = []
    for _ in range(polls):
        try:
            batch = source.poll("posts", cursor)
        except PlatformError as error:
            rests.append(error.retry_after_s or 0.0)
        else:
            cursor = batch.cursor
            posts += batch.posts
    return rests, posts, cursor


def poll_until_it_fails(source: BlueskySource, cursor: Cursor) -> None:
    """Raises PlatformError, unless nothing fails in a good many polls."""
    for _ in range(50):
        cursor = source.poll("posts", cursor).cursor


def test_a_server_that_sends_what_is_known_and_closes_is_left_alone_longer_each_time(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("known")
    _, cursor, _ = collect(source, 1)
    source.close()
    server.hangs_up, before = True, len(server.connects)
    rests, _, _ = rests_of(source, cursor, 14)
    connections = len(server.connects) - before
    assert rests == [min(300.0, 2.0**n) for n in range(len(rests))]
    assert len(rests) == connections  # a rest behind each
    assert len([n for n in range(connections) if sum(rests[:n]) < 10]) <= 4
    server.hangs_up = False
    fresh = server.post("new")
    posts, _, _ = collect(source, 1, cursor)
    assert fresh in {post.native_id for post in posts}


def test_garbage_before_each_end_is_kept_and_is_no_progress(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("known")
    _, cursor, _ = collect(source, 1)
    source.close()
    server.garble()
    server.hangs_up, before = True, len(server.connects)
    rests, _, _ = rests_of(source, cursor, 8)
    assert rests == [1.0, 2.0, 4.0, 8.0]
    assert len(server.connects) - before == 4


def test_connections_that_end_at_once_are_a_second_apart_even_if_each_brings_news(
    server: BlueskyServer, source: BlueskySource
) -> None:
    _, cursor, _ = collect(source, 0)
    server.hangs_up = True
    for number in range(4):
        made = server.post(f"number {number}")
        rests, posts, cursor = rests_of(source, cursor, 2)
        assert rests == [1.0]
        assert made in {post.native_id for post in posts}


def test_a_quiet_connection_that_lasted_is_taken_up_again_without_a_long_rest(
    server: BlueskyServer,
) -> None:
    ticks = [0.0]
    source = BlueskySource(config(server), wait_s=0.1, ticks_s=lambda: ticks[0])
    _, cursor, _ = collect(source, 0)
    for _ in range(3):
        source.poll("posts", cursor)
        ticks[0] += 60
        server.drop()
        with pytest.raises(PlatformError, match="closed the connection") as caught:
            poll_until_it_fails(source, cursor)
        assert caught.value.retry_after_s is None


def test_an_error_frame_ends_the_stream_and_gives_its_name(
    server: BlueskyServer, source: BlueskySource
) -> None:
    _, cursor, _ = collect(source, 0)
    server.garble(b'{"$type":"error","error":"ConsumerTooSlow","message":"<b>slow</b>"}')
    with pytest.raises(PlatformError, match="ConsumerTooSlow") as caught:
        poll_until_it_fails(source, cursor)
    assert "<b>" not in str(caught.value)


# ---------------------------------------------------------------- frames that are too long


def test_a_frame_of_more_than_a_megabyte_is_stepped_over_and_the_gap_is_told_once(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("before")
    server.post("long", padding=3 << 19)
    server.post("behind")
    posts, cursor, batches = collect(source, 2)
    assert [post.text for post in posts] == ["before", "behind"]
    [gap] = [batch.gap for batch in batches if batch.gap]
    assert "more than 1 MiB" in gap.reason
    assert gap.since is not None
    assert gap.since == gap.until
    source.close()
    server.post("later")
    replayed = 2 if source._epoch == "v1" else 0  # within the slack: version 1 is out of order
    posts, _, batches = collect(source, replayed + 1, cursor)
    assert posts[-1].text == "later"
    assert not any(batch.gap for batch in batches)
    assert len(server.connects) == 2


def test_a_frame_that_jetstream_was_asked_not_to_send_stops_nothing(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("before")
    server.post("long", padding=5 << 20)
    server.post("behind")
    posts, _, _ = collect(source, 2)
    assert [post.text for post in posts] == ["before", "behind"]


def test_an_instance_that_sends_frames_of_any_length_is_left_alone_longer_each_time(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.heeds_size = False
    server.post("before")
    _, cursor, _ = collect(source, 1)
    source.close()
    server.post("long", padding=5 << 20)
    with pytest.raises(PlatformError, match="more than 4 MiB"):
        poll_until_it_fails(source, cursor)
    rests, _, _ = rests_of(source, cursor, 3)
    assert rests[-1] > 1
    assert rests == sorted(rests)


def test_garbage_is_kept_and_the_stream_goes_on(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("one")
    server.garble()
    server.garble(b'{"$type":"message","payload":{"$type":"x#commit","seq":3}}')
    server.post("two")
    posts, _, batches = collect(source, 2)
    assert [post.text for post in posts] == ["one", "two"]
    rejected = [rejected for batch in batches for rejected in batch.rejected]
    assert len(rejected) == 2
    assert rejected[0].raw.startswith(b"\xff")


def test_a_record_dated_ahead_counts_from_when_the_server_saw_it(
    server: BlueskyServer, source: BlueskySource
) -> None:
    server.post("from the future", at=datetime(2090, 1, 1, tzinfo=UTC))
    [post], _, _ = collect(source, 1)
    assert post.published_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_a_quiet_stream_gives_an_empty_batch_within_a_second_or_so(
    server: BlueskyServer, source: BlueskySource
) -> None:
    _, cursor, _ = collect(source, 0)
    begun = time.monotonic()
    batch = source.poll("posts", cursor)
    assert (batch.posts, batch.cursor) == ([], cursor)
    assert time.monotonic() - begun < 3


def test_no_stream_there_is_said_plainly(server: BlueskyServer) -> None:
    source = BlueskySource(config(server, endpoint="ws://127.0.0.1:9"))
    _, cursor, _ = collect(source, 0)
    with pytest.raises(PlatformError, match=r"ws://127\.0\.0\.1:9.*no connection") as caught:
        source.poll("posts", cursor)
    assert not caught.value.permanent


def test_a_reply_stands_below_its_post_and_is_read_back(server: BlueskyServer) -> None:
    root = server.post("Acme is down")
    parent = server.post("still", "did:plc:bo", reply_to=root)
    responder = BlueskyResponder(config(server))
    sent = responder.send(answer(server, parent))
    assert isinstance(sent, Sent)
    assert [(p.id, p.parent, p.thread, p.text) for p in server.posted] == [
        (sent.native_id, parent, root, "Sorry to hear that")
    ]
    other = server.post("thanks", "did:plc:bo", reply_to=sent.native_id)
    thread = responder.read(answer(server, parent))
    assert (thread.gone, thread.text) == (False, "still")
    found = {s.native_id: (s.parent, s.ours, s.text) for s in thread.posts}
    assert found == {
        sent.native_id: (parent, True, "Sorry to hear that"),
        other: (sent.native_id, False, "thanks"),
    }
    assert server.sign_ins == 1


def test_a_second_attempt_posts_nothing_more(server: BlueskyServer) -> None:
    parent = server.post("Acme is down")
    responder = BlueskyResponder(config(server))
    server.mishap(Mishap(PUT, lose=True))
    assert isinstance(responder.send(answer(server, parent)), Unknown)
    assert isinstance(responder.send(answer(server, parent)), Sent)
    assert len(server.posted) == 1
    assert len([p for p in responder.read(answer(server, parent)).posts if p.ours]) == 1


@pytest.mark.parametrize(
    "mishap", [Mishap(PUT, hang=True), Mishap(PUT, reset=True), Mishap(PUT, reply=Reply(502, {}))]
)
def test_no_clear_answer_is_never_taken_for_a_refusal(
    server: BlueskyServer, mishap: Mishap
) -> None:
    parent = server.post("Acme is down")
    server.mishap(mishap)
    responder = BlueskyResponder(config(server, timeout_s=0.2))
    assert isinstance(responder.send(answer(server, parent)), Unknown)


def test_an_expired_token_is_refreshed_without_signing_in_again(server: BlueskyServer) -> None:
    parent = server.post("Acme is down")
    responder = BlueskyResponder(config(server))
    responder.read(answer(server, parent))
    server.expire()
    assert isinstance(responder.send(answer(server, parent)), Sent)
    assert server.sign_ins == 1


def test_refusals_say_whether_trying_again_helps(server: BlueskyServer) -> None:
    parent = server.post("Acme is down")
    responder = BlueskyResponder(config(server))
    too_long = responder.send(answer(server, parent, "x" * 301))
    assert isinstance(too_long, Refused)
    assert too_long.permanent
    server.mishap(Mishap(PUT, reply=Reply(429, {"error": "RateLimitExceeded"})))
    busy = responder.send(answer(server, parent))
    assert isinstance(busy, Refused)
    assert not busy.permanent
    wrong = BlueskyResponder(config(server, password="wrong")).send(answer(server, parent))
    assert isinstance(wrong, Refused)
    assert wrong.permanent
    assert "app password" in wrong.reason
    server.close()
    gone = BlueskyResponder(config(server)).send(answer(server, parent))
    assert isinstance(gone, Refused)
    assert not gone.permanent
    assert server.posted == []


@pytest.mark.parametrize("nsid", [PUT, "createSession", "refreshSession"])
def test_our_server_is_not_asked_while_nothing_is_left_of_its_window(
    server: BlueskyServer, nsid: str
) -> None:
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    parent = server.post("Acme is down")
    responder = BlueskyResponder(config(server), clock)
    if nsid == "refreshSession":
        assert isinstance(responder.send(answer(server, parent)), Sent)
    until = clock.now + timedelta(minutes=4)
    spent = {
        "ratelimit-limit": "30",
        "ratelimit-remaining": "0",
        "ratelimit-reset": str(int(until.timestamp())),
    }
    if nsid == "refreshSession":
        server.expire()
    busy = Reply(429, {"error": "RateLimitExceeded"}, spent)
    server.mishap(Mishap(nsid, reply=busy))
    for _ in range(2):
        refused = responder.send(answer(server, parent))
        assert isinstance(refused, Refused)
        assert not refused.permanent
        assert refused.retry_after_s == 240.0
    asked = [request for request in server.requests if request.path.endswith(nsid)]
    assert len(asked) == 1
    if nsid == PUT:
        assert responder.read(answer(server, parent)).text == "Acme is down"
    else:
        with pytest.raises(PlatformError) as caught:
            responder.read(answer(server, parent))
        assert caught.value.retry_after_s == 240.0
    clock.now = until
    assert isinstance(responder.send(answer(server, parent)), Sent)
    assert server.sign_ins == 1


def test_a_flawed_post_of_somebody_else_does_not_keep_us_from_answering(
    server: BlueskyServer,
) -> None:
    parent = server.post("Acme is down")
    flawed = server.post("me too", "did:plc:bo", reply_to=parent)
    good = server.post("and me", "did:plc:bo", reply_to=parent)
    server.records[flawed]["value"]["text"] = None
    responder = BlueskyResponder(config(server))
    assert [post.native_id for post in responder.read(answer(server, parent)).posts] == [good]
    ours = server.post("me too", DID, reply_to=parent)
    server.records[ours]["value"]["text"] = None
    with pytest.raises(PlatformError, match="no answer"):
        responder.read(answer(server, parent))


def test_reading_back_sees_an_edit_and_a_deletion(server: BlueskyServer) -> None:
    parent = server.post("helo")
    asked = answer(server, parent)
    responder = BlueskyResponder(config(server))
    server.edit(parent, "hello")
    assert responder.read(asked).text == "hello"
    server.delete(parent)
    assert responder.read(asked).gone


@given(st.text(), st.text())
def test_record_keys_are_tids_of_the_past_and_differ_with_the_key(one: str, other: str) -> None:
    key = record_key(one)
    assert len(key) == 13
    assert set(key) <= set("234567abcdefghijklmnopqrstuvwxyz")
    assert key[0] in "234567abcdefghij"
    number = 0
    for char in key:
        number = number * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(char)
    assert number >> 10 < 1_700_000_000_000_000
    assert (key == record_key(other)) == (one == other)


def test_links_in_a_reply_are_marked_by_byte() -> None:
    address = {"uri": "u", "cid": "c", "root_uri": "r", "root_cid": "d"}
    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    record = reply_record("Größe: https://example.org/a.", address, now)
    [facet] = record["facets"]
    raw = record["text"].encode()
    index = facet["index"]
    assert raw[index["byteStart"] : index["byteEnd"]] == b"https://example.org/a"
    assert record["createdAt"] == "2026-03-02T12:00:00.000Z"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"endpoint": "https://x"}, "ws://"),
        ({"service": "ws://x"}, "http"),
        ({"password": ""}, "both identifier and password"),
    ],
)
def test_wrong_settings_are_refused_by_name(
    server: BlueskyServer, changes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        config(server, **changes)


def test_the_password_does_not_show(server: BlueskyServer) -> None:
    assert PASSWORD not in repr(config(server))


def test_real_recorded_events_flow_through_the_reader(
    server: BlueskyServer, source: BlueskySource, recorded: Path
) -> None:
    assert server.load(recorded / "bluesky" / "golden_v1.jsonl") == 10
    posts, cursor, batches = collect(source, 1)
    assert [(p.author.id, p.op, p.lang) for p in posts] == [
        ("did:plc:q235v55g5unth4zjjdpacfdr", Op.CREATE, "en")
    ]
    assert posts[0].thread != posts[0].native_id
    assert DID not in posts[0].address.values()
    assert not any(batch.rejected for batch in batches)
    assert source.poll("posts", cursor).posts == []


def test_a_reply_to_a_recorded_post_stands_in_its_thread(
    server: BlueskyServer, source: BlueskySource, recorded: Path
) -> None:
    server.load(recorded / "bluesky" / "golden_v1.jsonl")
    [post], _, _ = collect(source, 1)
    responder = BlueskyResponder(config(server))
    asked = Answer(
        key="k1",
        parent=post.native_id,
        thread=post.thread,
        text="Thank you",
        since=datetime.now(UTC),
        address=post.address,
    )
    sent = responder.send(asked)
    assert isinstance(sent, Sent)
    assert [(p.parent, p.thread) for p in server.posted] == [(post.native_id, post.thread)]
    thread = responder.read(asked)
    assert thread.text == post.text
    assert [seen.native_id for seen in thread.posts if seen.ours] == [sent.native_id]
