"""Reddit for the conformance kits: its loopback server, driven from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from collectors.contract.causes import Cause
from collectors.contract.source import Answer, Responder, Source
from collectors.contract.validation import utc_now
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.posts import REPLY_LENGTH
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.reddit.source import RedditSource
from tests.collectors.platforms.conformance_replies import BUSY_S
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


class RedditWorld:
    """A subreddit's comments, in a listing that ends after 800."""

    bursts = (0, 1, 7, 99, 100, 101, 230)
    page = 100
    every_edit_is_seen = False

    def __init__(self, folder: Path) -> None:
        self.server = RedditServer(kept=800)
        self._root = self.server.submit("Acme")
        self._made = 0

    def source(self, now: Callable[[], datetime] = utc_now) -> Source:
        settings = {**ACCOUNT, "endpoint": self.server.url, "subreddits": ["acme"]}
        return RedditSource(msgspec.convert(settings, RedditConfig), now)

    def answer_next(self, reply: Reply) -> None:
        """A new source signs in first: half of the refusals are answers to that."""
        signing_in = reply.status >= 300 and reply.status % 2
        self.server.mishap(Mishap("access_token" if signing_in else "/comments/", reply=reply))

    def asked(self) -> int:
        return len(self.server.requests)

    def post(self) -> str:
        self._made += 1
        return self.server.comment(self._root, f"number {self._made}")

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        return self.server.comment(self._root, f"number {self._made}", at=_ago(days_ago))

    def edit(self, native_id: str) -> str:
        self._made += 1
        self.server.edit(native_id, f"edited {self._made}")
        return f"edited {self._made}"

    def delete(self, native_id: str) -> bool:
        self.server.delete(native_id)
        return True

    def outrun(self) -> None:
        for _ in range(900):
            self.post()

    def close(self) -> None:
        self.server.close()


def _error(code: str, message: str = "", **extra: float) -> Reply:
    return Reply(200, {"json": {"errors": [[code, message, "parent"]], **extra}})


REFUSES = {
    Cause.TOO_LONG: _error("TOO_LONG", "this is too long (max: 10000)"),
    Cause.GONE: _error("DELETED_COMMENT", "that comment has been deleted"),
    Cause.LOCKED: _error("TOO_OLD", "that's a piece of history now; it's too late to reply to it"),
    Cause.NOT_ALLOWED: _error("SUBREDDIT_NOTALLOWED", "you aren't allowed to post there."),
    Cause.DAILY_LIMIT: _error("QUOTA_FILLED", "You've submitted too many links recently."),
    Cause.CREDENTIALS: _error("USER_REQUIRED", "Please log in to do that."),
    Cause.SUSPENDED: _error("IN_TIMEOUT", "You can't do that while suspended."),
    Cause.INVALID: _error("NO_TEXT", "we need something here"),
    Cause.OTHER: _error("SOMETHING_NEW", "this has not been seen before"),
}
"""As Reddit answers a comment: with 200, and what is wrong by its code."""


class RedditReplies:
    """Comments, and our comments below them."""

    length = REPLY_LENGTH
    sign = "a"
    refuses: Mapping[Cause, Reply] = REFUSES

    def __init__(self, folder: Path) -> None:
        self.server = RedditServer()
        self._made = 0

    def responder(self) -> Responder:
        settings = {**ACCOUNT, "endpoint": self.server.url, "subreddits": ["acme"]}
        return RedditResponder(msgspec.convert(settings, RedditConfig))

    def post(self, text: str = "Sorry, it works again.") -> Answer:
        self._made += 1
        root = self.server.submit("Acme")
        parent = self.server.comment(root, f"it fails {self._made}")
        return Answer(
            key=f"k{self._made}",
            parent=parent,
            thread=root,
            text=text,
            since=datetime.now(UTC),
            address={"thing": parent},
        )

    def posted(self) -> Sequence[str]:
        return [one.text for one in self.server.posted]

    def settle(self) -> None:
        """The server shows a reply at once."""

    def lose_answer(self) -> None:
        self.server.mishap(Mishap("/api/comment", lose=True))

    def lose_request(self) -> None:
        self.server.mishap(Mishap("/api/comment", reset=True))

    def post_that_is_gone(self) -> Answer:
        answer = self.post()
        self.server.delete(answer.parent)
        return answer

    def post_that_is_locked(self) -> Answer:
        answer = self.post()
        self.server.thing(answer.parent)["locked"] = True
        return answer

    def refuse(self, cause: Cause) -> None:
        self.server.mishap(Mishap("/api/comment", reply=self.refuses[cause]))

    def busy(self) -> float:
        reply = _error("RATELIMIT", "take a break", ratelimit=BUSY_S)
        self.server.mishap(Mishap("/api/comment", reply=reply))
        return BUSY_S

    def close(self) -> None:
        self.server.close()


SOURCE, REPLIES = RedditWorld, RedditReplies
