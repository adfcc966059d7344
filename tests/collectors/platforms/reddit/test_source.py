"""Reddit through the real praw, against a server whose listings behave as Reddit's do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
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
    Unknown,
)
from collectors.contract.validation import utc_now
from collectors.contract.waits import LONGEST_S
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.reddit.source import RedditSource
from earshot.domain import TOMBSTONE, Op
from tests.builders import ManualClock
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit.server import ACCOUNT, UNAUTHORIZED, USERNAME, RedditServer


@pytest.fixture
def server() -> Iterator[RedditServer]:
    with RedditServer() as server:
        yield server


def config(server: RedditServer, **changes: Any) -> RedditConfig:
    settings = {**ACCOUNT, "endpoint": server.url, "timeout_s": 0.5}
    if not changes.get("inbox"):
        settings["subreddits"] = ("acme", "gadgets")
    return RedditConfig(**{**settings, **changes})


def read_first(source: RedditSource, part: str = "comments") -> Batch:
    """The first page that is read: the very first poll asks the platform nothing."""
    return source.poll(part, source.poll(part, None).cursor)


def drain(
    source: RedditSource, part: str, cursor: Cursor | None = None
) -> tuple[list[Post], Cursor, list[Batch]]:
    """All that waits in a part, the cursor behind it, and the batches."""
    named = cursor or source.poll(part, None).cursor  # the very first poll gives no posts
    batches = [source.poll(part, named)]
    while batches[-1].more:
        batches.append(source.poll(part, batches[-1].cursor))
    return [post for batch in batches for post in batch.posts], batches[-1].cursor, batches


def answer(parent: str, thread: str, text: str = "Sorry to hear that") -> Answer:
    since = datetime.now(UTC)
    return Answer(
        key="k1", parent=parent, thread=thread, text=text, since=since, address={"thing": parent}
    )


def test_comments_of_every_depth_and_subreddit_come_with_their_thread(server: RedditServer) -> None:
    root = server.submit("Acme 2 broken?")
    top = server.comment(root, "Same here")
    deep = server.comment(server.comment(top, "When?"), "Since Monday", author="bo")
    server.comment(server.submit("off topic", sub="other"), "not collected")
    other = server.comment(server.submit("hm", sub="gadgets"), "Acme again")
    posts, _, _ = drain(RedditSource(config(server)), "comments")
    assert {top, deep, other} <= {post.native_id for post in posts}
    assert len(posts) == 4
    [post] = [post for post in posts if post.native_id == deep]
    assert (post.thread, post.author.name, post.author.id) == (root, "bo", "t2_bo")
    assert post.parent.startswith("t1_")
    assert post.url.startswith("https://www.reddit.com/r/acme/comments/")


def test_a_listing_costs_one_request_and_no_item_costs_another(server: RedditServer) -> None:
    root = server.submit("Acme 2 broken?", "It will not start")
    for n in range(40):
        server.comment(root, f"comment {n}")
    source = RedditSource(config(server))
    [post] = drain(source, "submissions")[0]
    assert post.text == "Acme 2 broken?\n\nIt will not start"
    drain(source, "comments")
    assert [r.path for r in server.requests] == [
        "/api/v1/access_token",
        "/r/acme+gadgets/new/",
        "/r/acme+gadgets/comments/",
    ]


def test_the_inbox_gives_mentions_with_the_thread_from_their_context(server: RedditServer) -> None:
    root = server.submit("Acme?")
    server.comment(root, "no summons")
    mention = server.comment(root, f"what does u/{USERNAME} say?")
    source = RedditSource(config(server, inbox=True))
    assert source.everything
    [post] = drain(source, "mentions")[0]
    assert (post.native_id, post.thread, post.parent) == (mention, root, root)


def test_a_first_connection_takes_its_days_and_marks_older_things_as_history(
    server: RedditServer,
) -> None:
    root = server.submit("Acme")
    now = datetime.now(UTC)
    old = [server.comment(root, f"old {n}", at=now - timedelta(days=250)) for n in range(300)]
    recent = [server.comment(root, f"new {n}", at=now - timedelta(days=1)) for n in range(130)]
    posts, cursor, batches = drain(RedditSource(config(server)), "comments")
    assert {post.native_id for post in posts if not post.history} == set(recent)
    assert {post.native_id for post in posts if post.history} == set(old[-70:])
    assert len(batches) == 2, "the page that leads out of the days is the last one"
    assert all(batch.gap is None for batch in batches)
    assert drain(RedditSource(config(server)), "comments", cursor)[0] == []


def test_reddit_s_own_time_needs_no_receipt_and_an_edit_says_when_it_was_made(
    server: RedditServer,
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=250)
    name = server.comment(server.submit("Acme"), "helo", at=long_ago)
    server.edit(name, "hello")
    [post], _, _ = drain(RedditSource(config(server)), "comments")
    assert (post.published_at, post.received_at) == (long_ago, None)
    assert post.edited_at == datetime.fromtimestamp(server.thing(name)["edited"], UTC)
    assert not post.history, "it was changed today"
    server.thing(name)["edited"] = True  # as things of before 2011 say
    [post], _, _ = drain(RedditSource(config(server)), "comments")
    assert (post.op, post.edited_at, post.history) == (Op.EDIT, None, True)


def test_a_deleted_anchor_loses_nothing(server: RedditServer) -> None:
    root = server.submit("Acme")
    old = [server.comment(root, f"old {n}") for n in range(120)]
    source = RedditSource(config(server))
    _, cursor, _ = drain(source, "comments")
    for name in old[-3:]:
        server.delete(name)
    fresh = {server.comment(root, f"new {n}") for n in range(450)}
    posts, _, batches = drain(source, "comments", cursor)
    assert fresh <= {post.native_id for post in posts}
    assert all(batch.gap is None for batch in batches)


def test_an_absence_longer_than_the_listing_is_a_gap(server: RedditServer) -> None:
    server.kept = 250
    root = server.submit("Acme")
    server.comment(root, "seen")
    source = RedditSource(config(server))
    _, cursor, _ = drain(source, "comments")
    for n in range(300):
        server.comment(root, f"new {n}")
    _, cursor, batches = drain(source, "comments", cursor)
    gap = batches[-1].gap
    assert gap is not None
    assert gap.since is not None
    assert gap.until is not None
    assert gap.since < gap.until
    assert "ended before a known post" in gap.reason
    assert drain(source, "comments", cursor)[2][-1].gap is None


def test_edits_and_deletions_are_found_again(server: RedditServer) -> None:
    root = server.submit("Acme")
    edited, blanked = server.comment(root, "helo"), server.comment(root, "secret")
    source = RedditSource(config(server))
    _, cursor, _ = drain(source, "comments")
    server.edit(edited, "hello")
    server.blank(blanked)
    posts, cursor, _ = drain(source, "comments", cursor)
    found = {post.native_id: post for post in posts}
    assert set(found) == {edited, blanked}
    assert (found[edited].op, found[edited].text) == (Op.EDIT, "hello")
    assert found[edited].revision > 0
    gone = found[blanked]
    assert (gone.op, gone.revision, gone.text) == (Op.DELETE, TOMBSTONE, "")
    assert (gone.author.id, gone.author.name) == ("", "[deleted]")
    assert drain(source, "comments", cursor)[0] == []


def test_a_locked_thread_cannot_be_answered(server: RedditServer) -> None:
    name = server.comment(server.submit("Acme"), "hm")
    server.thing(name)["locked"] = True
    [post] = drain(RedditSource(config(server)), "comments")[0]
    assert (post.can_reply, post.reply_bar) == (False, "a moderator locked the thread")


def test_what_cannot_be_parsed_is_kept_and_the_rest_goes_on(server: RedditServer) -> None:
    root = server.submit("Acme")
    good, bad = server.comment(root, "one"), server.comment(root, "two")
    server.thing(bad)["created_utc"] = None
    [batch] = drain(RedditSource(config(server)), "comments")[2]
    assert [post.native_id for post in batch.posts] == [good]
    assert [rejected.native_id for rejected in batch.rejected] == [bad]


@pytest.mark.parametrize("anchor", [5, ["t1_a"], "t1_\ud800", "t1\x00"])
def test_an_anchor_that_would_spoil_the_cursor_is_not_taken(
    server: RedditServer, anchor: Any
) -> None:
    name = server.comment(server.submit("Acme"), "one")
    children = [{"kind": "t1", "data": server.thing(name)}]
    page = {"data": {"children": children, "after": anchor}}
    source = RedditSource(config(server))
    server.mishap(Mishap("/r/", reply=Reply(200, page)))
    with pytest.raises(PlatformError, match="not Reddit's"):
        drain(source, "comments")
    assert [post.native_id for post in drain(source, "comments")[0]] == [name]


@pytest.mark.parametrize("name", [None, 5, "", "t1_\ud800", "t1_\x00", "t1 a"])
def test_a_thing_without_a_name_is_set_aside_and_the_source_goes_on(
    server: RedditServer, name: Any
) -> None:
    good = server.comment(server.submit("Acme"), "one")
    things = [server.thing(good) | {"name": name, "body": text} for text in ("two", "three")]
    children = [{"kind": "t1", "data": thing} for thing in (*things, server.thing(good))]
    source = RedditSource(config(server))
    server.mishap(Mishap("/r/", reply=Reply(200, {"data": {"children": children, "after": None}})))
    batch = read_first(source)
    assert [post.native_id for post in batch.posts] == [good]
    assert len(batch.rejected) == 2
    later = server.comment(server.submit("Acme"), "four")
    assert [post.native_id for post in drain(source, "comments", batch.cursor)[0]] == [later]


@pytest.mark.parametrize(
    ("reply", "permanent"),
    [
        (Reply(429, {}, {"retry-after": "9"}), False),
        (UNAUTHORIZED, True),
        (Reply(403, {}), True),
        (Reply(404, {}), True),
        (Reply(503, {}), False),
        (Reply(200, b"{not json"), False),
        (Reply(200, {"kind": "Listing"}), False),
    ],
)
def test_a_failed_read_says_whether_trying_again_helps(
    server: RedditServer, reply: Reply, *, permanent: bool
) -> None:
    server.mishap(*[Mishap("/r/", reply=reply)] * 3)
    with pytest.raises(PlatformError) as caught:
        drain(RedditSource(config(server)), "comments")
    assert caught.value.permanent is permanent
    if reply.status == 429:
        assert caught.value.retry_after_s == 9.0
    if reply.status == 503:
        assert sum(request.path.startswith("/r/") for request in server.requests) == 1


def spent(reset: object = 2, **headers: str) -> dict[str, str]:
    """What Reddit's headers say when nothing is left of the window."""
    return {
        "x-ratelimit-remaining": "0.0",
        "x-ratelimit-used": "1000",
        "x-ratelimit-reset": str(reset),
        **headers,
    }


EMPTY: dict[str, Any] = {"data": {"children": [], "after": None}}


@pytest.mark.parametrize("status", [200, 429])
def test_reddit_is_asked_again_when_the_window_is_over_that_it_told(
    server: RedditServer, status: int
) -> None:
    clock = ManualClock(utc_now())
    name = server.comment(server.submit("Acme"), "hm")
    server.mishap(Mishap("/r/", reply=Reply(status, EMPTY, spent(reset=2))))
    source = RedditSource(config(server), clock)
    if status == 200:
        assert read_first(source).posts == []
    else:
        with pytest.raises(PlatformError, match="429") as caught:
            read_first(source)
        assert caught.value.retry_after_s == 2.0
    asked = len(server.requests)
    clock.now += timedelta(seconds=0.5)
    with pytest.raises(PlatformError, match="used up") as caught:
        read_first(source)
    assert (caught.value.permanent, caught.value.retry_after_s) == (False, 1.5)
    assert len(server.requests) == asked
    clock.now += timedelta(seconds=1.5)
    [post] = read_first(source).posts
    assert post.native_id == name


def test_all_that_share_a_client_share_its_window(server: RedditServer) -> None:
    clock = ManualClock(utc_now())
    root = server.submit("Acme")
    parent = server.comment(root, f"what does u/{USERNAME} say?")
    source = RedditSource(config(server), clock)
    inbox = RedditSource(config(server, inbox=True), clock)
    responder = RedditResponder(config(server), clock)
    other = RedditSource(config(server, user_agent="somebody else"), clock)
    server.mishap(Mishap("/r/", reply=Reply(200, EMPTY, spent(reset=95))))
    read_first(source)
    asked = len(server.requests)
    for part in ("comments", "submissions"):
        with pytest.raises(PlatformError, match="used up"):
            read_first(other, part)
    with pytest.raises(PlatformError, match="used up") as caught:
        read_first(inbox, "mentions")
    assert caught.value.retry_after_s == 95.0
    with pytest.raises(PlatformError, match="used up") as caught:
        responder.read(answer(parent, root))
    assert caught.value.retry_after_s == 95.0
    refused = responder.send(answer(parent, root))
    assert isinstance(refused, Refused)
    assert (refused.permanent, refused.retry_after_s) == (False, 95.0)
    assert (len(server.requests), server.posted) == (asked, [])
    clock.now += timedelta(seconds=95)
    assert isinstance(responder.send(answer(parent, root)), Sent)
    assert len(read_first(inbox, "mentions").posts) == 1


def test_another_client_has_a_window_of_its_own(server: RedditServer) -> None:
    clock = ManualClock(utc_now())
    server.mishap(Mishap("/r/", reply=Reply(200, EMPTY, spent(reset=95))))
    read_first(RedditSource(config(server), clock))
    with RedditServer() as elsewhere:
        assert read_first(RedditSource(config(elsewhere), clock)).posts == []


@pytest.mark.parametrize(
    "told",
    [
        {"x-ratelimit-reset": "soon"},
        {"x-ratelimit-reset": "2.5"},
        {"x-ratelimit-remaining": "many"},
        {"x-ratelimit-remaining": "900", "x-ratelimit-reset": "1000000000"},
        {"x-ratelimit-remaining": "900", "x-ratelimit-used": "some"},
        {"retry-after": "Mon, 02 Mar 2026 12:00:10 GMT"},
    ],
)
def test_what_reddit_says_of_its_window_never_spoils_an_answer_nor_sleeps_in_the_client(
    server: RedditServer, told: dict[str, str]
) -> None:
    root = server.submit("Acme")
    parent = server.comment(root, "it fails")
    source, responder = RedditSource(config(server)), RedditResponder(config(server))
    things = [{"kind": "t1", "data": server.thing(parent)}]
    done = {"json": {"errors": [], "data": {"things": things}}}
    server.mishap(Mishap("/r/", reply=Reply(200, EMPTY, spent(reset=600) | told)))
    server.mishap(Mishap("/api/comment", reply=Reply(200, done, spent(reset=600) | told)))
    assert isinstance(responder.send(answer(parent, root)), Sent)
    begun = time.monotonic()
    for _ in range(2):
        with suppress(PlatformError):
            read_first(source)
        assert not isinstance(responder.send(answer(parent, root)), Unknown)
    assert time.monotonic() - begun < 60  # Reddit's window lasts for ten minutes


@pytest.mark.parametrize(
    ("reply", "wait_s"),
    [
        (Reply(429, {}, {"retry-after": "1000000000"}), LONGEST_S),
        (Reply(429, {}, {"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}), LONGEST_S),
        (Reply(429, {}, {"retry-after": "soon"}), 60.0),
        (Reply(429, {}, {"retry-after": "-3"}), 60.0),
        (Reply(429, {}, {"x-ratelimit-reset": "7"}), 7.0),
        (Reply(429, {}), 60.0),
        (Reply(503, {}, {"retry-after": "9"}), 9.0),
    ],
)
def test_the_wait_that_reddit_tells_is_kept_within_a_day(
    server: RedditServer, reply: Reply, wait_s: float
) -> None:
    server.mishap(Mishap("/r/", reply=reply), Mishap("access_token", reply=reply))
    for _ in ("signing in", "reading"):
        with pytest.raises(PlatformError) as caught:
            read_first(RedditSource(config(server)))
        told = caught.value.retry_after_s
        assert told == wait_s or (told is None and wait_s == 60.0)
    if reply.status == 429:
        server.mishap(Mishap("/api/comment", reply=reply))
        refused = RedditResponder(config(server)).send(answer("t1_a", "t3_a"))
        assert isinstance(refused, Refused)
        assert (refused.permanent, refused.retry_after_s) == (False, wait_s)


def test_a_comment_whose_request_timed_out_at_reddit_is_not_posted_twice(
    server: RedditServer,
) -> None:
    root = server.submit("Acme")
    server.mishap(*[Mishap("/api/comment", reply=Reply(408, {}))] * 3)
    assert isinstance(RedditResponder(config(server)).send(answer(root, root)), Unknown)
    assert [r.path for r in server.requests].count("/api/comment/") == 1


def test_a_wrong_password_is_said_plainly(server: RedditServer) -> None:
    with pytest.raises(PlatformError, match="signing in was refused") as caught:
        drain(RedditSource(config(server, password="wrong")), "comments")
    assert caught.value.permanent
    assert "wrong" not in str(caught.value)


def test_a_reply_stands_below_its_comment_and_is_read_back(server: RedditServer) -> None:
    root = server.submit("Acme")
    parent = server.comment(root, "it fails")
    responder = RedditResponder(config(server))
    sent = responder.send(answer(parent, root))
    assert isinstance(sent, Sent)
    assert [(p.id, p.parent, p.thread, p.text) for p in server.posted] == [
        (sent.native_id, parent, root, "Sorry to hear that")
    ]
    other = server.comment(sent.native_id, "thanks")
    thread = responder.read(answer(parent, root))
    assert (thread.gone, thread.text) == (False, "it fails")
    assert [(s.native_id, s.parent, s.ours) for s in thread.posts] == [
        (sent.native_id, parent, True),
        (other, sent.native_id, False),
    ]


@pytest.mark.parametrize(
    "mishap",
    [
        Mishap("/api/comment", lose=True),
        Mishap("/api/comment", hang=True),
        Mishap("/api/comment", reset=True),
        Mishap("/api/comment", reply=Reply(503, {})),
        Mishap("/api/comment", reply=Reply(200, b"")),
        Mishap("/api/comment", reply=Reply(200, {"json": {"errors": [], "data": {}}})),
    ],
)
def test_no_clear_answer_is_unknown_and_is_not_repeated(
    server: RedditServer, mishap: Mishap
) -> None:
    root = server.submit("Acme")
    parent = server.comment(root, "it fails")
    server.mishap(mishap)
    responder = RedditResponder(config(server, timeout_s=0.2))
    assert isinstance(responder.send(answer(parent, root)), Unknown)
    assert [r.path for r in server.requests].count("/api/comment/") == 1
    ours = [post for post in responder.read(answer(parent, root)).posts if post.ours]
    assert len(ours) == len(server.posted) == (1 if mishap.lose else 0)


@pytest.mark.parametrize(
    ("errors", "permanent", "wait_s"),
    [
        ({"errors": [["RATELIMIT", "try again", "ratelimit"]], "ratelimit": 540.0}, False, 540.0),
        ({"errors": [["RATELIMIT", "try again", "ratelimit"]], "ratelimit": "soon"}, False, 60.0),
        ({"errors": [["RATELIMIT", "try again", "ratelimit"]], "ratelimit": 1e9}, False, LONGEST_S),
        ({"errors": [["TOO_OLD", "that's a piece of history", "parent"]]}, True, None),
    ],
)
def test_reddits_errors_prove_that_nothing_was_posted(
    server: RedditServer, errors: dict[str, Any], wait_s: float | None, *, permanent: bool
) -> None:
    root = server.submit("Acme")
    server.mishap(Mishap("/api/comment", reply=Reply(200, {"json": errors})))
    refused = RedditResponder(config(server)).send(answer(root, root))
    assert isinstance(refused, Refused)
    assert (refused.permanent, refused.retry_after_s) == (permanent, wait_s)
    assert errors["errors"][0][0] in refused.reason


def test_a_closed_door_proves_that_nothing_was_posted(server: RedditServer) -> None:
    root = server.submit("Acme")
    responder = RedditResponder(config(server))
    assert isinstance(responder.send(answer(root, root)), Sent)
    server.close()
    refused = responder.send(answer(root, root))
    assert refused == Refused(reason="Reddit could not be reached", permanent=False)


def test_a_flawed_comment_of_somebody_else_does_not_keep_us_from_answering(
    server: RedditServer,
) -> None:
    root = server.submit("Acme")
    parent = server.comment(root, "it fails")
    flawed, good = server.comment(parent, "me too"), server.comment(parent, "and me")
    server.thing(flawed)["created_utc"] = "soon"
    responder = RedditResponder(config(server))
    assert [post.native_id for post in responder.read(answer(parent, root)).posts] == [good]
    server.thing(flawed)["author"] = USERNAME
    with pytest.raises(PlatformError, match="not Reddit's"):
        responder.read(answer(parent, root))


def test_reading_back_sees_a_deletion(server: RedditServer) -> None:
    root = server.submit("Acme")
    parent = server.comment(root, "it fails")
    server.delete(parent)
    thread = RedditResponder(config(server)).read(answer(parent, root))
    assert (thread.gone, thread.text) == (True, "")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"inbox": True, "subreddits": ("acme",)}, "either subreddits or inbox"),
        ({"subreddits": ()}, "either subreddits or inbox"),
        ({"subreddits": ("r/acme",)}, "plain names"),
        ({"client_id": ""}, "client_id"),
        ({"inbox": True, "password": ""}, "inbox needs username"),
    ],
)
def test_incomplete_settings_are_refused_by_name(
    server: RedditServer, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        config(server, **changes)


def test_secrets_do_not_show(server: RedditServer) -> None:
    shown = repr(config(server))
    assert "hunter2" not in shown
    assert "client-secret" not in shown
    assert USERNAME in shown


def test_real_recorded_listings_flow_through_praw(server: RedditServer, recorded: Path) -> None:
    server.load(recorded / "reddit")
    source = RedditSource(config(server, subreddits=("all",)))
    for part, least in (("comments", 100), ("submissions", 90)):
        posts, cursor, batches = drain(source, part)
        assert len(posts) >= least
        assert all(post.thread and post.author.name for post in posts)
        assert not any(batch.rejected for batch in batches)
        assert drain(source, part, cursor)[0] == []
    mentions = drain(RedditSource(config(server, inbox=True)), "mentions")[0]
    assert len(mentions) == 16
    assert all(post.thread.startswith("t3_") for post in mentions)


def test_a_reply_to_a_recorded_mention_stands_in_its_thread(
    server: RedditServer, recorded: Path
) -> None:
    server.load(recorded / "reddit")
    post = drain(RedditSource(config(server, inbox=True)), "mentions")[0][0]
    responder = RedditResponder(config(server))
    asked = answer(post.native_id, post.thread)
    sent = responder.send(asked)
    assert isinstance(sent, Sent)
    assert [(p.parent, p.thread) for p in server.posted] == [(post.native_id, post.thread)]
    thread = responder.read(asked)
    assert thread.text == post.text
    assert [seen.native_id for seen in thread.posts if seen.ours] == [sent.native_id]
