"""A platform, or somebody who posts there, answers with anything: nothing of it ends a role."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from collectors.contract.source import (
    Answer,
    Batch,
    PlatformError,
    Post,
    Refused,
    Rejected,
    Responder,
    Sent,
    Source,
    Thread,
    Unknown,
)
from collectors.contract.validation import EARLIEST, ID_LIMIT, reject_invalid, violation
from collectors.platforms.bluesky.posts import BadFrame, read_event
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.source import XSource
from earshot.domain import Mention
from earshot.log.topics import MENTIONS
from tests.attack.answerers import ANSWERERS, READS
from tests.attack.corpus import UNSTORABLE
from tests.attack.json_mutations import mutations
from tests.builders import a_mention, an_author
from tests.collectors.platforms.loopback import Loopback, Mishap, Reply
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer
from tests.collectors.platforms.x.server import BEARER, US, XServer
from tests.collectors.platforms.x.server import HANDLE as X_HANDLE

NOW = datetime.now(UTC)
DEEP = b"[" * 200_000
OUTCOMES = (Sent, Refused, Unknown)


def carried(post: Post) -> Mention:
    """The mention that a post becomes, once it went through the log."""
    mention = a_mention(
        native_id=post.native_id,
        thread=post.thread or post.native_id,
        parent=post.parent,
        author=post.author,
        text=post.text,
        url=post.url,
        published_at=post.published_at,
        revision=post.revision,
        lang=post.lang,
        reply_bar=post.reply_bar,
        address=post.address,
    )
    return MENTIONS.decode(MENTIONS.encode(mention))


def storable(value: Any) -> bool:
    """Whether both databases take every text and number in `value`."""
    match value:
        case str():
            return "\x00" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
        case dict():
            return all(storable(inner) for pair in value.items() for inner in pair)
        case list() | tuple():
            return all(storable(inner) for inner in value)
        case _:
            return not isinstance(value, int) or abs(value) < 2**63


def settle(batch: Batch) -> None:
    """What a collector does with a batch must go well for each of its posts."""
    for post in reject_invalid(batch, NOW).posts:
        mention = carried(post)
        assert storable(msgspec.to_builtins(mention)), post
        assert len(mention.id.encode()) <= ID_LIMIT + 40
        assert 0 <= mention.author.reach < 2**63
        assert EARLIEST <= mention.published_at <= NOW + timedelta(days=1)


# ---------------------------------------------------------------- reading


def x_listing(server: XServer) -> tuple[Source, str, Any]:
    first = server.post(f"@{X_HANDLE} hello", at=NOW - timedelta(minutes=5))
    post = {
        **server.tweets[first],
        "referenced_tweets": [{"type": "replied_to", "id": "1"}, {"type": "quoted", "id": "2"}],
        "note_tweet": {"text": "long", "entities": {"urls": []}},
        "entities": {"urls": [{"url": "https://t.co/1", "expanded_url": "https://a.example"}]},
    }
    users = [{**server.users["2002"]}]
    body = {"data": [post], "includes": {"users": users, "tweets": []}, "meta": {"next_token": ""}}
    config = XConfig(account=X_HANDLE, account_id=US, bearer_token=BEARER, endpoint=server.url)
    return XSource(config), "mentions", body


def reddit_listing(server: RedditServer) -> tuple[Source, str, Any]:
    server.comment(server.submit("Acme"), "hello", at=NOW - timedelta(minutes=5))
    listing = {
        "kind": "Listing",
        "data": {"after": None, "children": [{"kind": "t1", "data": dict(server.comments[0])}]},
    }
    settings = {**ACCOUNT, "endpoint": server.url, "subreddits": ["acme"]}
    return RedditSource(msgspec.convert(settings, RedditConfig)), "comments", listing


@pytest.mark.parametrize(
    ("kind", "make", "path"),
    [(XServer, x_listing, "mentions"), (RedditServer, reddit_listing, "comments")],
    ids=["x", "reddit"],
)
def test_any_answer_to_a_poll_is_posts_or_a_platform_error(
    kind: Callable[[], Any], make: Callable[[Any], tuple[Source, str, Any]], path: str
) -> None:
    with kind() as server:
        source, part, body = make(server)
        named = source.poll(source.parts()[0], None).cursor
        source.poll(source.parts()[0], named)
        for changed in mutations(body):
            server.mishap(Mishap(path=path, reply=Reply(200, changed)))
            with suppress(PlatformError):
                settle(source.poll(source.parts()[0], named))
        for raw in (DEEP, b"\xff\xfe", b"", b'"\\ud800"', b"1" * 5_000):
            server.mishap(Mishap(path=path, reply=Reply(200, raw)))
            with suppress(PlatformError):
                source.poll(source.parts()[0], named)
        assert source.poll(source.parts()[0], named).posts, f"{part} goes on as before"
        source.close()


def frames(*, v1: bool) -> Iterator[bytes]:
    record = {
        "$type": "app.bsky.feed.post",
        "text": "acme",
        "createdAt": "2026-03-02T12:00:00Z",
        "langs": ["en"],
        "reply": {"root": {"uri": "at://r", "cid": "c"}, "parent": {"uri": "at://p", "cid": "c"}},
    }
    commit = {
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3k1",
        "cid": "c",
        "record": record,
    }
    whole: dict[str, Any] = {
        "$type": "message",
        "payload": {"$type": "x#commit", "did": "did:plc:a", "seq": 7, **commit}
        | {"time": "2026-03-02T12:00:00Z"},
    }
    if v1:
        whole = {"did": "did:plc:a", "time_us": 1772452800000000, "kind": "commit"}
        whole["commit"] = commit
    for changed in mutations(whole):
        yield json.dumps(changed).encode()
    yield DEEP
    yield b'{"a":' * 50_000


@pytest.mark.parametrize("v1", [False, True], ids=["v2", "v1"])
def test_any_frame_of_the_stream_is_an_event_or_a_bad_frame(*, v1: bool) -> None:
    events = 0
    for frame in frames(v1=v1):
        try:
            found = read_event(frame).row.found
        except BadFrame:
            continue
        events += 1
        if isinstance(found, Post):
            settle(Batch(posts=[found], cursor={}))
    assert events > 10


@pytest.mark.parametrize("bad", [*UNSTORABLE, "x" * (ID_LIMIT + 1), "a\nb", "\u202e", 7, None, {}])
@pytest.mark.parametrize("field", ["native_id", "thread", "parent"])
def test_an_id_that_no_table_could_hold_is_set_aside_under_another(field: str, bad: Any) -> None:
    fields = {"native_id": "1", "thread": "1", "parent": "", field: bad}
    post = Post(
        **fields, author=an_author(), text="acme", url="", published_at=NOW - timedelta(hours=1)
    )
    batch = reject_invalid(Batch(posts=[post], cursor={"v": 1}), NOW)
    (rejected,) = batch.rejected
    assert not batch.posts
    assert isinstance(rejected, Rejected)
    assert field in rejected.reason
    assert rejected.native_id == ("" if field == "native_id" else "1")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"published_at": datetime(1, 1, 1, tzinfo=UTC)}, "published_at"),
        ({"published_at": NOW + timedelta(days=400)}, "published_at"),
        ({"revision": 2**60}, "revision"),
        ({"revision": -1}, "revision"),
        ({"author": an_author(reach=2**63)}, "author.reach"),
        ({"author": an_author(name="\x00")}, "author.name"),
        ({"author": an_author(id="\ud800")}, "author.id"),
        ({"text": "\ud800"}, "text"),
        ({"lang": "x" * 36}, "lang"),
        ({"address": {"uri": "a\x00"}}, "address.uri"),
        ({"address": {str(n): "" for n in range(21)}}, "address"),
    ],
)
def test_every_field_of_a_post_has_its_bounds(changes: dict[str, Any], named: str) -> None:
    fields: dict[str, Any] = {
        "native_id": "1",
        "thread": "1",
        "author": an_author(),
        "text": "acme",
        "url": "",
        "published_at": NOW - timedelta(hours=1),
    }
    assert violation(Post(**fields), NOW) == ""
    assert violation(Post(**{**fields, **changes}), NOW) == f"out of bounds: {named}"


# ---------------------------------------------------------------- answering


@pytest.mark.parametrize(("kind", "make"), ANSWERERS)
def test_any_answer_to_a_reply_is_an_outcome(
    kind: Callable[[], Any], make: Callable[[Any], tuple[Responder, Answer, str, Any]]
) -> None:
    with kind() as server:
        responder, given, path, body = make(server)
        for changed in [*mutations(body), DEEP, b"\xff"]:
            server.mishap(Mishap(path=path, reply=Reply(200, changed)))
            assert isinstance(responder.send(given), OUTCOMES), changed
        responder.close()


@pytest.mark.parametrize(("kind", "make"), ANSWERERS)
def test_any_answer_to_reading_back_is_a_thread_or_a_platform_error(
    kind: Callable[[], Any],
    make: Callable[[Any], tuple[Responder, Answer, str, Any]],
    request: pytest.FixtureRequest,
) -> None:
    path = READS[request.node.callspec.id]
    with kind() as server:
        responder, given, _, _ = make(server)
        body = read_back(server, path, responder, given)
        for changed in [*mutations(body), DEEP]:
            server.mishap(Mishap(path=path, reply=Reply(200, changed)))
            with suppress(PlatformError):
                assert isinstance(responder.read(given), Thread)
        responder.close()


def read_back(server: Loopback, path: str, responder: Responder, given: Answer) -> Any:
    """What the server answers when it is read properly."""
    handle = server.handle
    said: list[Any] = []

    def listen(request: Any) -> Reply:
        reply = handle(request)
        if path in request.path:
            said.append(reply.body)
        return reply

    server.handle = listen  # type: ignore[method-assign]  # to overhear one answer
    assert not responder.read(given).gone
    server.handle = handle  # type: ignore[method-assign]  # as it was
    return said[0]
