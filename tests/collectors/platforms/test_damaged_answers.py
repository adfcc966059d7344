"""Nothing but a rejection comes out of a flawed row, and the rows beside it are taken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.contract.resume import Row
from collectors.contract.source import Batch, Post, Rejected
from collectors.contract.validation import reject_invalid
from collectors.platforms.bluesky.posts import BadFrame, read_event
from collectors.platforms.reddit import posts as reddit_posts
from collectors.platforms.x import posts as x_posts
from tests.builders import NOON
from tests.collectors.platforms.damage import JSON, NO_HURRY, damaged

US = x_posts.Account(id="1001", handle="acme")
AT = "2026-03-02T11:59:00.000Z"


def a_tweet(id: str = "1900000000000000001", **more: Any) -> dict[str, Any]:
    mention = {"start": 0, "end": 5, "username": "acme", "id": "1001"}
    link = {"start": 6, "end": 20, "url": "https://t.co/a", "expanded_url": "https://example.org"}
    return {
        "id": id,
        "text": "@acme https://t.co/a it fails",
        "author_id": "7",
        "conversation_id": "1900000000000000000",
        "created_at": AT,
        "edit_history_tweet_ids": [id],
        "lang": "en",
        "entities": {"mentions": [mention], "urls": [link]},
        "referenced_tweets": [{"type": "replied_to", "id": "1900000000000000000"}],
        "note_tweet": {"text": "@acme https://t.co/a", "entities": {"urls": [link]}},
        **more,
    }


def an_x_answer(*tweets: Any) -> dict[str, Any]:
    user = {
        "id": "7",
        "username": "ana",
        "name": "Ana",
        "public_metrics": {"followers_count": 120, "tweet_count": 1},
    }
    return {
        "data": list(tweets),
        "includes": {"users": [user], "tweets": [a_tweet("1900000000000000000")]},
        "meta": {"result_count": len(tweets), "next_token": "b1"},
    }


def a_thing(name: str = "t1_a", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "author": "ana",
        "author_fullname": "t2_ana",
        "body": "it fails",
        "created_utc": (NOON - timedelta(minutes=1)).timestamp(),
        "edited": 1772452000.0,
        "link_id": "t3_root",
        "parent_id": "t3_root",
        "permalink": "/r/acme/comments/root/title/a/",
        "locked": False,
        "archived": False,
        **more,
    }


def a_listing(*things: Any) -> dict[str, Any]:
    children = [{"kind": "t1", "data": thing} for thing in things]
    return {"kind": "Listing", "data": {"after": "t1_z", "children": children}}


def a_commit(**more: Any) -> dict[str, Any]:
    reference = {"uri": "at://did:plc:bo/app.bsky.feed.post/3k", "cid": "bafya"}
    return {
        "rev": "3l3qo2vutsw2b",
        "operation": "create",
        "collection": "app.bsky.feed.post",
        "rkey": "3k00000000001",
        "cid": "bafyb",
        "record": {
            "$type": "app.bsky.feed.post",
            "text": "acme is down",
            "createdAt": AT,
            "langs": ["en"],
            "reply": {"root": reference, "parent": reference},
        },
        **more,
    }


NAME = "network.bsky.jetstream.subscribeEvents"
OUTER = {"seq": 8, "did": "did:plc:ana", "time": "2026-03-02T11:59:01.000000Z"}
GONE = {"seq": 3, "did": "did:plc:ana", "time": AT, "active": False, "status": "deleted"}
FRAMES: list[dict[str, Any]] = [
    {"$type": "message", "payload": {"$type": f"{NAME}#commit", **OUTER, **a_commit()}},
    {"$type": "message", "payload": {"$type": f"{NAME}#account", **OUTER, "account": GONE}},
    {"$type": "message", "payload": {"$type": f"{NAME}#info", "name": "OutdatedCursor"}},
    {"$type": "error", "error": "ConsumerTooSlow", "message": "too slow"},
    {"did": "did:plc:ana", "time_us": 1772452741000000, "kind": "commit", "commit": a_commit()},
    {"did": "did:plc:ana", "time_us": 1772452741000000, "kind": "account", "account": GONE},
]


def taken(rows: Sequence[Row]) -> tuple[list[Post], list[Rejected]]:
    """What the shell takes of some rows: the valid posts, and all that is set aside."""
    posts = [row.found for row in rows if isinstance(row.found, Post)]
    rejected = [row.found for row in rows if isinstance(row.found, Rejected)]
    assert len(posts) + len(rejected) == len(rows)
    assert all(row.mark.isprintable() and row.mark for row in rows)
    json.dumps([row.mark for row in rows], ensure_ascii=False).encode()
    batch = reject_invalid(Batch(posts=posts, cursor={}, rejected=rejected), NOON)
    for post in batch.posts:
        msgspec.json.encode(post)
    return list(batch.posts), list(batch.rejected)


def test_the_answers_are_sound_before_they_are_damaged() -> None:
    for rows in (
        x_posts.rows(an_x_answer(a_tweet()), US),
        reddit_posts.rows(a_listing(a_thing())),
    ):
        [post], rejected = taken(rows)
        assert rejected == []
        assert post.text
    found = [read_event(json.dumps(frame)).row.found for frame in FRAMES]
    assert [isinstance(one, Post) for one in found] == [True, True, False, False, True, True]


@NO_HURRY
@given(damaged(a_tweet()))
def test_a_flawed_post_of_x_takes_nothing_with_it(flawed: Any) -> None:
    before, behind = a_tweet("1900000000000000002"), a_tweet("1900000000000000003")
    rows = x_posts.rows(an_x_answer(before, flawed, behind), US)
    posts, rejected = taken(rows)
    assert {"1900000000000000002", "1900000000000000003"} <= {post.native_id for post in posts}
    assert len(posts) + len(rejected) == 3


@NO_HURRY
@given(damaged(an_x_answer(a_tweet())["includes"]))
def test_what_is_flawed_beside_a_post_of_x_is_left_out_and_the_post_is_kept(flawed: Any) -> None:
    answer = an_x_answer(a_tweet()) | {"includes": flawed}
    [post], rejected = taken(x_posts.rows(answer, US))
    assert rejected == []
    assert (post.native_id, post.can_reply) == ("1900000000000000001", True)


OPTIONAL = ["conversation_id", "edit_history_tweet_ids", "lang", "entities", "referenced_tweets"]


@pytest.mark.parametrize("field", [*OPTIONAL, "note_tweet"])
@NO_HURRY
@given(value=JSON | damaged(a_tweet()["note_tweet"]))
def test_an_optional_field_of_x_that_can_not_be_read_is_left_out(field: str, value: Any) -> None:
    [post], rejected = taken(x_posts.rows(an_x_answer(a_tweet(**{field: value})), US))
    assert rejected == []
    assert post.author.handle == "ana"


@NO_HURRY
@given(damaged(a_thing()) | damaged(a_thing(title="Acme", selftext="hm")))
def test_a_flawed_thing_of_reddit_takes_nothing_with_it(flawed: Any) -> None:
    posts, rejected = taken(reddit_posts.rows(a_listing(a_thing("t1_b"), flawed, a_thing("t1_c"))))
    assert {"t1_b", "t1_c"} <= {post.native_id for post in posts}
    assert len(posts) + len(rejected) == 3


@NO_HURRY
@given(st.sampled_from(FRAMES).flatmap(damaged))
def test_a_flawed_frame_of_jetstream_is_kept_or_has_its_place(flawed: Any) -> None:
    assert_read_or_kept(json.dumps(flawed).encode())


@NO_HURRY
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_from_jetstream_are_kept_or_have_their_place(raw: bytes) -> None:
    assert_read_or_kept(raw)


def assert_read_or_kept(raw: bytes) -> None:
    try:
        event = read_event(raw)
    except BadFrame as error:
        taken([Row(mark="-", found=error.rejected)])
        return
    assert 0 <= event.position < 2**63
    assert event.at.tzinfo is not None
    if event.row.found is not None:
        taken([event.row])


@pytest.mark.parametrize("path", ["@host.example/r/a", ".host.example/", ":80@host/", 5, None, ""])
def test_a_permalink_that_would_lead_to_another_host_is_left_out(path: Any) -> None:
    [post], _ = taken(reddit_posts.rows(a_listing(a_thing(permalink=path))))
    assert post.url == ""


@pytest.mark.parametrize("id", [None, 7, "", "abc", "12a", "²", "9" * 20, "-5", "1.5", ["1"]])
def test_an_id_that_is_no_number_is_named_as_the_reason(id: Any) -> None:
    good = a_tweet("1900000000000000002")
    posts, [rejected] = taken(x_posts.rows(an_x_answer(good, a_tweet() | {"id": id}), US))
    assert [post.native_id for post in posts] == ["1900000000000000002"]
    assert "id" in rejected.reason
    assert rejected.native_id == ""


def test_rows_without_an_id_are_told_apart_by_what_they_hold() -> None:
    flawed = [a_tweet() | {"id": None, "text": text} for text in ("one", "two")]
    marks = [row.mark for row in x_posts.rows(an_x_answer(*flawed), US)]
    assert len({*marks}) == 2
    things = [a_thing() | {"name": None, "body": text} for text in ("one", "two")]
    marks = [row.mark for row in reddit_posts.rows(a_listing(*things))]
    assert len({*marks}) == 2


@pytest.mark.parametrize(
    "keys",
    [
        ("note_tweet", "referenced_tweets", "tweets"),
        ("note_post", "referenced_posts", "posts"),
    ],
)
def test_both_names_of_x_s_fields_are_read(keys: tuple[str, str, str]) -> None:
    note, references, included = keys
    raw = a_tweet(text="short")
    entities = {"mentions": [{"username": "Acme", "id": "1001"}]}
    del raw["note_tweet"], raw["referenced_tweets"], raw["entities"]
    raw[note] = {"text": "long", "entities": entities}
    raw[references] = [{"type": "replied_to", "id": "5"}]
    answer = {"data": [raw], "includes": {included: [a_tweet("5")]}}
    [post], _ = taken(x_posts.rows(answer, US))
    assert (post.text, post.parent, post.can_reply) == ("long", "5", True)
