"""X through the real tweepy, against a server that is as strict as X."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from collectors.contract.source import (
    Answer,
    Batch,
    Cursor,
    PlatformError,
    Post,
    Refused,
    Sent,
    Source,
    Unknown,
)
from collectors.contract.waits import LONGEST_S
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.posts import receipt
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource
from earshot.domain import Op
from tests.builders import ManualClock
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.x.server import BEARER, HANDLE, KEYS, US, XServer


@pytest.fixture
def server() -> Iterator[XServer]:
    with XServer() as server:
        yield server


def config(server: XServer, **changes: Any) -> XConfig:
    settings = {"account": HANDLE, "bearer_token": BEARER, "endpoint": server.url, "timeout_s": 0.5}
    return XConfig(**{**settings, **KEYS, **changes})


def read_first(source: XSource) -> Batch:
    """The first page that is read: the very first poll asks the platform nothing."""
    (part,) = source.parts()
    return source.poll(part, source.poll(part, None).cursor)


def drain(source: Source, cursor: Cursor | None = None) -> tuple[list[Post], Cursor, list[Batch]]:
    """All that waits in a source's first part, the cursor behind it, and the batches."""
    named = (
        cursor or source.poll(source.parts()[0], None).cursor
    )  # the very first poll gives no posts
    batches = [source.poll(source.parts()[0], named)]
    while batches[-1].more:
        batches.append(source.poll(source.parts()[0], batches[-1].cursor))
    return [post for batch in batches for post in batch.posts], batches[-1].cursor, batches


def answer(parent: str, thread: str = "", text: str = "Sorry to hear that", **extra: Any) -> Answer:
    return Answer(
        key="k1",
        parent=parent,
        thread=thread or parent,
        text=text,
        since=datetime.now(UTC),
        address={"tweet": parent},
        **extra,
    )


def test_a_mention_comes_with_its_author_thread_and_whole_text(server: XServer) -> None:
    server.add_user("7", "ana", "Ana Perez", followers=120)
    root = server.post("Good morning", "7")
    reply = server.post("@acme it &lt;fails&gt; see https://t.co/a", "7", reply_to=root)
    server.tweets[reply]["entities"]["urls"] = [
        {"url": "https://t.co/a", "expanded_url": "https://example.org/log"}
    ]
    [post], _, _ = drain(XSource(config(server)))
    assert post.native_id == reply
    assert (post.thread, post.parent) == (root, root)
    assert (post.author.name, post.author.handle, post.author.reach) == ("Ana Perez", "ana", 120)
    assert post.text == "@acme it <fails> see https://example.org/log"
    assert post.url == f"https://x.com/ana/status/{reply}"
    assert post.lang == "en"
    assert post.can_reply


def test_pages_are_walked_back_to_the_last_known_posts(server: XServer) -> None:
    server.post("@acme first")
    source = XSource(config(server))
    _, cursor, _ = drain(source)
    later = {server.post(f"@acme number {n}") for n in range(230)}
    posts, _, batches = drain(source, cursor)
    assert {post.native_id for post in posts} == later
    assert len(batches) == 3
    assert all(batch.gap is None for batch in batches)


def days_ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def test_a_first_connection_asks_x_for_its_days_and_pays_for_nothing_older(server: XServer) -> None:
    for days in (250, 200, 3):
        server.post("@acme long ago", at=days_ago(days))
    recent = [server.post("@acme lately", at=days_ago(days)) for days in (1.9, 1, 0)]
    posts, cursor, _ = drain(XSource(config(server)))
    assert [(post.native_id, post.history) for post in posts] == [(one, False) for one in recent]
    [asked] = server.requests
    begin = datetime.fromisoformat(asked.query["start_time"])
    assert timedelta(0) <= days_ago(2) - begin < timedelta(minutes=1)
    assert drain(XSource(config(server)), cursor)[0] == []


def test_a_first_walk_of_several_pages_keeps_to_its_days(server: XServer) -> None:
    for _ in range(150):
        server.post("@acme long ago", at=days_ago(250))
    recent = {server.post(f"@acme number {n}") for n in range(230)}
    posts, _, batches = drain(XSource(config(server)))
    assert {post.native_id for post in posts} == recent
    assert len(batches) == 3
    assert len({asked.query["start_time"] for asked in server.requests}) == 1


@pytest.mark.parametrize("mode", ["mentions", "search"])
def test_while_nothing_is_found_x_is_asked_for_the_same_days_again(
    server: XServer, mode: str
) -> None:
    old = server.post("@acme long ago", at=days_ago(250))
    source = XSource(config(server, mode=mode, query="acme"))
    posts, cursor, _ = drain(source)
    assert posts == []
    fresh = server.post("@acme now")
    posts, _, _ = drain(source, cursor)
    assert [post.native_id for post in posts] == [fresh] != [old]
    first, second = (asked.query["start_time"] for asked in server.requests)
    assert first == second


@pytest.mark.parametrize("mode", ["mentions", "search"])
def test_x_is_never_asked_for_earlier_than_it_takes(server: XServer, mode: str) -> None:
    server.post("@acme hello")
    source = XSource(config(server, mode=mode, query="acme", first_days=36_500))
    assert len(drain(source)[0]) == 1


def test_the_id_says_when_x_took_a_post_in_and_the_edit_s_id_when_the_edit(server: XServer) -> None:
    made = days_ago(0.5).replace(microsecond=0)
    first = server.post("@acme helo", at=made)
    server.tweets[first]["created_at"] = "2016-03-02T12:00:00.000Z"
    [post], cursor, _ = drain(XSource(config(server, first_days=36_500)))
    assert (post.received_at, post.edited_at, post.history) == (made, None, False)
    server.edit(first, "@acme hello")
    [edit], _, _ = drain(XSource(config(server)), cursor)
    assert edit.received_at == made
    assert edit.edited_at is not None
    assert timedelta(0) <= datetime.now(UTC) - edit.edited_at < timedelta(minutes=1)


@pytest.mark.parametrize("post_id", ["20", "29700859246", "-5", "9" * 40, "x1", ""])
def test_an_id_without_a_time_is_no_receipt(post_id: str) -> None:
    assert receipt(post_id) is None


def test_an_edit_is_a_higher_revision_of_the_first_id(server: XServer) -> None:
    first = server.post("@acme helo")
    source = XSource(config(server))
    _, cursor, _ = drain(source)
    second = server.edit(first, "@acme hello")
    posts, _, _ = drain(source, cursor)
    assert [(p.native_id, p.revision, p.op, p.text) for p in posts] == [
        (first, 1, Op.EDIT, "@acme hello")
    ]
    assert posts[0].address["tweet"] == second


def test_only_who_mentioned_or_quoted_us_can_be_answered(server: XServer) -> None:
    ours = server.post("Acme 2 is out", US)
    plain = server.post("acme is fine")
    summoned = server.post("@Acme acme help")
    quoting = server.post("acme lol", quote=ours)
    posts, _, _ = drain(XSource(config(server, mode="search", query="acme")))
    verdicts = {post.native_id: (post.can_reply, post.reply_bar) for post in posts}
    assert verdicts[summoned] == verdicts[quoting] == (True, "")
    assert not verdicts[plain][0]
    assert "mentioned or quoted" in verdicts[plain][1]
    assert "our own" in verdicts[ours][1]


def test_a_long_post_that_names_us_behind_its_short_form_can_be_answered(server: XServer) -> None:
    told = "it fails. " * 30
    native_id = server.post(f"{told}@acme see https://t.co/a")
    note = server.tweets[native_id]["note_tweet"]
    note["entities"]["urls"] = [{"url": "https://t.co/a", "expanded_url": "https://example.org/"}]
    assert server.tweets[native_id]["entities"]["mentions"] == []
    [post], _, _ = drain(XSource(config(server)))
    assert post.text == f"{told}@acme see https://example.org/"
    assert (post.can_reply, post.reply_bar) == (True, "")
    responder = XResponder(config(server))
    assert isinstance(responder.send(answer(native_id)), Sent)
    assert responder.read(answer(native_id)).text == post.text


def test_a_link_is_put_in_as_it_is(server: XServer) -> None:
    native_id = server.post("@acme &lt;b&gt; https://t.co/a")
    link = "https://example.org/?id=1&region=eu&section=4&copy=2"
    urls = [{"url": "https://t.co/a", "expanded_url": link}]
    server.tweets[native_id]["entities"]["urls"] = urls
    [post], _, _ = drain(XSource(config(server)))
    assert post.text == f"@acme <b> {link}"


@pytest.mark.parametrize("id", ["abc", "", 7, None, "9" * 30])
def test_a_row_without_a_numeric_id_is_set_aside_and_the_source_goes_on(
    server: XServer, id: Any
) -> None:
    clock = ManualClock(datetime.now(UTC))
    source = XSource(config(server), clock)
    first = server.post("@acme one")
    flawed = server.tweets[first] | {"id": id}
    ahead = server.tweets[first] | {"id": "9000000000000000000"}
    body = {"data": [flawed, ahead, server.tweets[first]], "meta": {"result_count": 3}}
    server.mishap(Mishap("mentions", reply=Reply(200, body)))
    batch = read_first(source)
    assert first in {post.native_id for post in batch.posts}
    assert len(batch.rejected) == 1
    second = server.post("@acme two")
    posts, cursor, batches = drain(source, batch.cursor)
    assert [post.native_id for post in posts] == [second]
    assert not any(batch.rejected for batch in batches)
    assert server.requests[-1].query["since_id"] == first
    third = server.post("@acme three")
    assert [post.native_id for post in drain(source, cursor)[0]] == [third]


@pytest.mark.parametrize(
    "included",
    [
        {"users": [{"username": "nobody"}, "?", None], "tweets": [{"text": "?"}, 5]},
        {"users": {"id": "1"}, "tweets": None},
        ["users"],
    ],
)
def test_a_flawed_user_or_post_beside_the_page_does_not_spoil_it(
    server: XServer, included: Any
) -> None:
    first = server.post("@acme one")
    page = {"data": [server.tweets[first]], "includes": included, "meta": {"result_count": 1}}
    server.mishap(Mishap("mentions", reply=Reply(200, page)))
    [batch] = drain(XSource(config(server)))[2]
    assert [post.native_id for post in batch.posts] == [first]
    assert batch.rejected == []


def problem(kind: str, title: str) -> dict[str, Any]:
    return {"type": f"https://api.twitter.com/2/problems/{kind}", "title": title, "detail": "<b>"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": [problem("usage-capped", "UsageCapExceeded")]}, "UsageCapExceeded"),
        ({"errors": [problem("client-forbidden", "Client Forbidden")]}, "Client Forbidden"),
        ({"errors": [problem("about", "<b>bold</b>")]}, "about"),
        ({"errors": [{"title": 5}], "meta": {"result_count": 0}}, "without a title"),
        ({"errors": "all"}, "neither posts nor errors"),
        ({"meta": {"result_count": 3}}, "neither posts nor errors"),
        ({}, "neither posts nor errors"),
        ([], "not an answer of X"),
    ],
)
def test_an_answer_with_errors_and_no_posts_is_a_failure_with_x_s_title(
    server: XServer, body: Any, said: str
) -> None:
    server.mishap(*[Mishap(reply=Reply(200, body))] * 2)
    with pytest.raises(PlatformError, match=said) as caught:
        drain(XSource(config(server)))
    assert not caught.value.permanent
    assert "<" not in str(caught.value)
    with pytest.raises(PlatformError, match=said):  # and the post to answer isn't gone by that
        XResponder(config(server)).read(answer("7"))


def test_that_single_posts_are_missing_is_no_failure(server: XServer) -> None:
    errors = [problem("resource-not-found", "Not Found Error")]
    server.mishap(Mishap(reply=Reply(200, {"errors": errors, "meta": {"result_count": 0}})))
    assert drain(XSource(config(server)))[0] == []
    first = server.post("@acme one")
    page = {"data": [server.tweets[first]], "errors": errors, "meta": {"result_count": 1}}
    server.mishap(Mishap(reply=Reply(200, page)))
    assert [post.native_id for post in drain(XSource(config(server)))[0]] == [first]
    assert XResponder(config(server)).read(answer("7")).gone


@pytest.mark.parametrize("token", [7, ["b1"], "\ud800", "b\x00"])
def test_a_token_that_would_spoil_the_cursor_is_not_taken(server: XServer, token: Any) -> None:
    first = server.post("@acme one")
    meta = {"result_count": 1, "next_token": token}
    page = {"data": [server.tweets[first]], "meta": meta}
    server.mishap(Mishap(reply=Reply(200, page)))
    with pytest.raises(PlatformError, match="not X's"):
        drain(XSource(config(server)))
    assert [post.native_id for post in drain(XSource(config(server)))[0]] == [first]


def test_an_absence_longer_than_seven_days_restarts_and_reports_a_gap(server: XServer) -> None:
    clock = [datetime.now(UTC) - timedelta(days=9)]
    server.now = lambda: clock[0]
    source = XSource(config(server, mode="search", query="acme"), now=lambda: clock[0])
    server.post("acme long ago")
    _, cursor, _ = drain(source)
    away = clock[0]
    clock[0] += timedelta(days=1)
    server.post("acme out of reach")
    clock[0] += timedelta(days=8)
    reachable = {server.post(f"acme {n}") for n in range(150)}
    posts, cursor, batches = drain(source, cursor)
    assert {post.native_id for post in posts} == reachable
    gap = batches[0].gap
    assert gap is not None
    assert gap.since is not None
    assert gap.until is not None
    assert gap.since <= away + timedelta(seconds=1) < gap.until
    _, _, batches = drain(source, cursor)
    assert batches[0].gap is None


def test_what_cannot_be_parsed_is_kept_and_the_rest_goes_on(server: XServer) -> None:
    good, bad = server.post("@acme one"), server.post("@acme two")
    del server.tweets[bad]["text"]
    [batch] = drain(XSource(config(server)))[2]
    assert [post.native_id for post in batch.posts] == [good]
    assert [rejected.native_id for rejected in batch.rejected] == [bad]
    assert "text" in batch.rejected[0].reason


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        (Reply(429, {}, {"x-rate-limit-reset": "32503680000"}), False),
        (Reply(401, {"title": "Unauthorized"}), True),
        (Reply(403, {"title": "Forbidden"}), True),
        (Reply(402, {}), False),
        (Reply(503, b"<html>busy"), False),
        (Reply(200, b"{not json"), False),
        (Reply(200, [1, 2]), False),
    ],
)
def test_a_failed_read_says_whether_trying_again_helps(
    server: XServer, reply: Reply, *, permanent: bool
) -> None:
    server.mishap(Mishap(reply=reply))
    with pytest.raises(PlatformError) as caught:
        drain(XSource(config(server)))
    assert caught.value.permanent is permanent
    assert BEARER not in str(caught.value)
    if reply.status == 429:
        assert (caught.value.retry_after_s or 0) > 1


def spent(until: datetime) -> dict[str, str]:
    """What X's headers say when nothing is left of a route's quarter of an hour."""
    return {
        "x-rate-limit-limit": "450",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-reset": str(int(until.timestamp())),
    }


def test_x_is_not_asked_while_nothing_is_left_of_the_window_and_asked_again_behind_it(
    server: XServer,
) -> None:
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    mention = server.post("@acme hello")
    until = clock.now + timedelta(minutes=9)
    server.mishap(Mishap("mentions", reply=Reply(200, {"meta": {"result_count": 0}}, spent(until))))
    source = XSource(config(server), clock)
    assert read_first(source).posts == []
    with pytest.raises(PlatformError, match="used up") as caught:
        read_first(source)
    assert (caught.value.permanent, caught.value.retry_after_s) == (False, 540.0)
    assert len(server.requests) == 1
    clock.now = until
    assert [post.native_id for post in read_first(source).posts] == [mention]


def test_a_reply_waits_for_the_day_whose_posts_are_used_up(server: XServer) -> None:
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    parent = server.post("@acme it fails")
    until = str(int((clock.now + timedelta(hours=5)).timestamp()))
    day = {"x-user-limit-24hour-remaining": "0", "x-user-limit-24hour-reset": until}
    server.mishap(Mishap("/2/tweets", reply=Reply(429, {}, day)))
    responder = XResponder(config(server), clock)
    responder.send(answer(parent))
    refused = responder.send(answer(parent))
    assert isinstance(refused, Refused)
    assert (refused.permanent, refused.retry_after_s) == (False, 5 * 3600.0)
    assert responder.read(answer(parent)).posts == []  # reading has limits of its own
    clock.now += timedelta(hours=5)
    assert isinstance(responder.send(answer(parent)), Sent)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "1000000000"}, LONGEST_S),
        ({"x-rate-limit-reset": "32503680000"}, LONGEST_S),
        ({"x-rate-limit-reset": "-7"}, None),
        ({"retry-after": "soon", "x-rate-limit-reset": "later"}, None),
    ],
)
def test_the_wait_that_x_tells_is_kept_within_a_day(
    server: XServer, headers: dict[str, str], wait_s: float | None
) -> None:
    server.mishap(*[Mishap(reply=Reply(429, {}, headers))] * 2)
    with pytest.raises(PlatformError) as caught:
        read_first(XSource(config(server)))
    assert caught.value.retry_after_s == wait_s
    refused = XResponder(config(server)).send(answer("7"))
    assert isinstance(refused, Refused)
    assert refused.retry_after_s == wait_s


@pytest.mark.parametrize(
    "body",
    [
        [1],
        None,
        "busy",
        {"errors": None},
        {"errors": [{"message": 5}]},
        {"detail": []},
        b"[" * 100_000,
        b"\xff",
    ],
)
@pytest.mark.parametrize(("status", "permanent"), [(429, False), (401, True), (503, False)])
def test_a_refusal_counts_by_its_status_whatever_its_words(
    server: XServer, status: int, body: Any, *, permanent: bool
) -> None:
    reply = Reply(status, body, {"retry-after": "70"})
    server.mishap(*[Mishap(reply=reply)] * 2)
    with pytest.raises(PlatformError, match=str(status)) as caught:
        read_first(XSource(config(server)))
    assert caught.value.permanent is permanent
    outcome = XResponder(config(server)).send(answer("7"))
    assert isinstance(outcome, Unknown if status == 503 else Refused)
    assert getattr(outcome, "permanent", False) is permanent


def test_a_silent_server_does_not_hang_the_collector(server: XServer) -> None:
    server.mishap(Mishap(hang=True))
    with pytest.raises(PlatformError, match="no answer"):
        drain(XSource(config(server, timeout_s=0.1)))


def test_a_wrong_token_is_said_plainly(server: XServer) -> None:
    with pytest.raises(PlatformError, match="check the keys") as caught:
        drain(XSource(config(server, bearer_token="wrong")))
    assert caught.value.permanent


def test_without_a_bearer_token_reads_are_signed(server: XServer) -> None:
    mention = server.post("@acme hello")
    posts, _, _ = drain(XSource(config(server, bearer_token="")))
    assert [post.native_id for post in posts] == [mention]
    assert server.requests[0].headers["authorization"].startswith("OAuth ")


def test_a_reply_stands_below_its_post_and_is_read_back(server: XServer) -> None:
    parent = server.post("@acme it fails")
    responder = XResponder(config(server))
    sent = responder.send(answer(parent))
    assert isinstance(sent, Sent)
    assert [(p.id, p.parent, p.text) for p in server.posted] == [
        (sent.native_id, parent, "Sorry to hear that")
    ]
    other = server.post("@acme same here", "9", reply_to=parent)
    thread = responder.read(answer(parent))
    assert (thread.gone, thread.text) == (False, "@acme it fails")
    assert [(s.native_id, s.parent, s.ours) for s in thread.posts] == [
        (sent.native_id, parent, True),
        (other, parent, False),
    ]
    assert thread.posts[0].text == "Sorry to hear that"


def test_a_lost_answer_is_unknown_and_reading_back_finds_the_reply(server: XServer) -> None:
    parent = server.post("@acme it fails")
    responder = XResponder(config(server))
    server.mishap(Mishap("/2/tweets", lose=True))
    assert isinstance(responder.send(answer(parent)), Unknown)
    assert len(server.posted) == 1
    [ours] = responder.read(answer(parent)).posts
    assert ours.ours
    assert isinstance(responder.send(answer(parent)), Unknown)  # X says "duplicate"
    assert len(server.posted) == 1


@pytest.mark.parametrize(
    "mishap",
    [Mishap(hang=True), Mishap(reset=True), Mishap(reply=Reply(500, {})), Mishap(reply=Reply(201))],
)
def test_no_clear_answer_is_never_taken_for_a_refusal(server: XServer, mishap: Mishap) -> None:
    parent = server.post("@acme it fails")
    server.mishap(mishap)
    assert isinstance(XResponder(config(server, timeout_s=0.1)).send(answer(parent)), Unknown)


def test_a_closed_door_proves_that_nothing_was_posted(server: XServer) -> None:
    parent = server.post("@acme it fails")
    responder = XResponder(config(server))
    server.close()
    refused = responder.send(answer(parent))
    assert refused == Refused(reason="X could not be reached", permanent=False)


def test_refusals_say_whether_trying_again_helps(server: XServer) -> None:
    plain = server.post("no summons here")
    responder = XResponder(config(server))
    refused = responder.send(answer(plain))
    assert isinstance(refused, Refused)
    assert refused.permanent
    server.mishap(Mishap(reply=Reply(429, {}, {"retry-after": "7"})))
    busy = responder.send(answer(plain))
    assert isinstance(busy, Refused)
    assert (busy.permanent, busy.retry_after_s) == (False, 7.0)
    assert server.posted == []


def test_reading_back_sees_an_edit_and_a_deletion(server: XServer) -> None:
    parent = server.post("@acme helo")
    responder = XResponder(config(server))
    server.edit(parent, "@acme hello")
    assert responder.read(answer(parent)).text == "@acme hello"
    server.delete(parent)
    assert responder.read(answer(parent)).gone


def test_a_flawed_post_of_somebody_else_does_not_keep_us_from_answering(server: XServer) -> None:
    parent = server.post("@acme it fails")
    flawed = server.post("@acme me too", "9", reply_to=parent)
    good = server.post("@acme and me", "9", reply_to=parent)
    del server.tweets[flawed]["created_at"]
    page = [server.tweets[one] for one in (flawed, good)]
    found = Reply(200, {"data": page, "meta": {"result_count": 2}})
    server.mishap(Mishap("search", reply=found))
    responder = XResponder(config(server))
    assert [post.native_id for post in responder.read(answer(parent)).posts] == [good]


@pytest.mark.parametrize("author", [{}, {"author_id": US}])
def test_a_flawed_post_that_may_be_ours_leaves_the_thread_unread(
    server: XServer, author: dict[str, str]
) -> None:
    parent = server.post("@acme it fails")
    found = Reply(200, {"data": [{"id": "9", **author}], "meta": {"result_count": 1}})
    server.mishap(Mishap("search", reply=found))
    with pytest.raises(PlatformError, match="not X's"):
        XResponder(config(server)).read(answer(parent))


def test_secrets_do_not_show(server: XServer) -> None:
    shown = f"{config(server)!r} {config(server)}"
    assert BEARER not in shown
    assert not any(secret in shown for secret in ("'cs'", "'ats'", KEYS["access_token"] + "'"))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"account": ""}, "account"),
        ({"bearer_token": "", "access_token": ""}, "bearer_token"),
        ({"mode": "search"}, "query"),
        ({"account_id": "acme"}, "numeric"),
    ],
)
def test_incomplete_settings_are_refused_by_name(
    server: XServer, changes: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        config(server, **changes)


def test_real_recorded_posts_flow_through_tweepy(server: XServer, recorded: Path) -> None:
    ids = server.load(recorded / "x")
    source = XSource(config(server, first_days=36_500))
    first, cursor, _ = drain(source)
    assert len(first) > 100
    assert len({p.native_id for p in first}) > 90
    assert all(p.author.name and p.author.handle and p.thread and p.text for p in first)
    assert len(ids) > 100
    assert drain(source, cursor)[0] == []


def test_a_reply_to_a_recorded_post_stands_in_its_thread(server: XServer, recorded: Path) -> None:
    server.load(recorded / "x")
    found, _, _ = drain(XSource(config(server, first_days=36_500)))
    post = next(post for post in found if post.can_reply and post.parent)
    responder = XResponder(config(server))
    asked = answer(post.native_id, post.thread)
    sent = responder.send(asked)
    assert isinstance(sent, Sent)
    assert [(p.parent, p.thread) for p in server.posted] == [(post.native_id, post.thread)]
    thread = responder.read(asked)
    assert not thread.gone
    assert [seen.native_id for seen in thread.posts if seen.ours] == [sent.native_id]
