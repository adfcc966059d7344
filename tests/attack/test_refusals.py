"""A platform that lets us in, and whose refusals then repeat what they were sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from collectors.contract.source import Answer, PlatformError, Refused, Responder, Unknown
from tests.attack.answerers import READS, bluesky_responder, reddit_responder, x_responder
from tests.collectors.platforms.bluesky.server import BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit.server import RedditServer
from tests.collectors.platforms.x.server import XServer

Make = Callable[[Any], tuple[Responder, Answer, str, Any]]
Platform = tuple[Callable[[], Any], Make]

HEARD = "you sent canary-7c1e55"
PLATFORMS: dict[str, Platform] = {
    "x": (XServer, x_responder),
    "reddit": (RedditServer, reddit_responder),
    "bluesky": (BlueskyServer, bluesky_responder),
}
RATIONS = ("x-ratelimit-remaining", "x-ratelimit-used", "x-ratelimit-reset")
X_WORDS = {"title": HEARD, "detail": HEARD, "errors": [{"message": HEARD, "code": HEARD}]}
BLUESKY_WORDS = {"error": HEARD, "message": HEARD}
REFUSALS = [
    *(("x", Reply(status, X_WORDS)) for status in (400, 402, 403, 404, 429, 503)),
    *(("bluesky", Reply(status, BLUESKY_WORDS)) for status in (400, 403, 429, 503)),
    *(("reddit", Reply(status, {"message": HEARD})) for status in (400, 403, 404, 429, 503)),
    # Reddit says what is wrong by a code, beside prose: with 200, or with 400 and a field
    ("reddit", Reply(200, {"json": {"errors": [["NO_TEXT", HEARD, "text"]]}})),
    ("reddit", Reply(200, {"json": {"errors": [[f"NO_TEXT {HEARD}", "", ""]]}})),
    ("reddit", Reply(400, {"fields": ["text"], "reason": "NO_TEXT", "explanation": HEARD})),
    ("reddit", Reply(400, {"fields": ["text"], "reason": HEARD, "explanation": ""})),
    # what is left of the minute's requests, which is no number
    ("reddit", Reply(404, {}, dict.fromkeys(RATIONS, HEARD))),
    # a comment whose time of edit is no number
    (
        "reddit",
        Reply(
            200,
            {
                "json": {
                    "data": {"things": [{"data": {"name": "t1_a", "body": "", "edited": HEARD}}]}
                }
            },
        ),
    ),
]


@pytest.mark.parametrize(("name", "refusal"), REFUSALS)
def test_a_reply_that_was_refused_is_told_without_the_words_of_the_platform(
    name: str, refusal: Reply
) -> None:
    kind, make = PLATFORMS[name]
    with kind() as server:
        responder, given, path, _ = make(server)
        server.mishap(Mishap(path, reply=refusal))
        outcome = responder.send(given)
        responder.close()
        asked = [request.path for request in server.requests if path in request.path]
    assert asked, "it was let in, and asked"
    assert isinstance(outcome, Refused | Unknown)
    assert "canary" not in repr(outcome)


@pytest.mark.parametrize(("name", "refusal"), [r for r in REFUSALS if r[1].status != 200])
def test_a_thread_that_was_refused_is_told_without_the_words_of_the_platform(
    name: str, refusal: Reply
) -> None:
    kind, make = PLATFORMS[name]
    with kind() as server:
        responder, given, _, _ = make(server)
        server.mishap(*[Mishap(READS[name], reply=refusal)] * 3)
        with pytest.raises(PlatformError) as caught:
            responder.read(given)
        responder.close()
    assert "canary" not in f"{caught.value}{caught.value!r}"


def test_a_code_of_reddit_is_told_and_what_is_none_is_not() -> None:
    with RedditServer() as server:
        responder, given, path, _ = reddit_responder(server)
        errors = [["NO_TEXT", HEARD, "text"], [HEARD, "", ""], ["TOO_LONG", "", ""]]
        server.mishap(Mishap(path, reply=Reply(200, {"json": {"errors": errors}})))
        outcome = responder.send(given)
        responder.close()
    assert outcome == Refused(
        reason="Reddit: the reply is too long: shorten it (NO_TEXT, TOO_LONG)", permanent=True
    )
