"""Reddit through praw: comments as our account, and the thread as it is read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from praw.exceptions import PRAWException, RedditAPIException
from prawcore.exceptions import (
    BadJSON,
    OAuthException,
    PrawcoreException,
    RequestException,
    ResponseException,
)

from collectors.contract.causes import outcome_of
from collectors.contract.rate_limits import RateLimits
from collectors.contract.reading_back import readable
from collectors.contract.source import (
    Answer,
    Outcome,
    Refused,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.transport import PlatformSession, UsedUp, never_sent
from collectors.contract.validation import MISREAD, utc_now
from collectors.platforms.reddit import posts as reddit_posts
from collectors.platforms.reddit.causes import refusal
from collectors.platforms.reddit.client import (
    Unanswered,
    connect,
    rate_limits_of,
    reading,
    refusal_of,
)
from collectors.platforms.reddit.config import RedditConfig

_PAGE = 100


class RedditResponder:
    """Comments as our account. Reddit has no idempotency: a doubt is `Unknown`."""

    platform = "reddit"
    settle_s = 30.0

    def __init__(self, config: RedditConfig, now: Callable[[], datetime] = utc_now) -> None:
        if not config.may_write:
            raise ValueError(
                "replying on Reddit needs username, and password or refresh_token: set them, "
                "or leave this source without answers"
            )
        self._username = config.username
        self._session = PlatformSession(config.timeout_s, now, rate_limits_of(config))
        self._reddit = connect(config, self._session)

    @property
    def rate_limits(self) -> RateLimits:
        return self._session.rate_limits

    def send(self, answer: Answer) -> Outcome:
        parent = answer.address.get("thing", answer.parent)
        data = {"thing_id": parent, "text": answer.text}
        try:
            body = self._reddit.request(method="POST", path="api/comment/", data=data)
        except UsedUp as error:
            return Refused(reason=f"Reddit: {error}", permanent=False, retry_after_s=error.wait_s)
        except Unanswered as error:
            if error.__cause__ and never_sent(error.__cause__):
                return Refused(reason="Reddit could not be reached", permanent=False)
            return Unknown(reason=f"no clear answer from Reddit ({error})")
        except (PrawcoreException, PRAWException, *MISREAD) as error:
            return _classify(error)
        try:
            return _outcome(body)
        except (OSError, *MISREAD) as error:
            return _classify(error)

    def read(self, answer: Answer) -> Thread:
        """The post to answer, the comments below it, and our own newest ones in the thread."""
        parent = answer.address.get("thing", answer.parent)
        with reading("thread"):
            found = self._get("api/info/", id=parent)["data"]["children"]
            thing = found[0]["data"] if found else None
            below = [*self._tree(answer.thread, parent), *self._ours(answer.thread)]
            found_below = readable(
                below, lambda raw: reddit_posts.seen(raw, self._username), self._is_by_others
            )
            posts = {post.native_id: post for post in found_below}
            gone = thing is None or reddit_posts.is_gone(thing)
            text = "" if thing is None or gone else reddit_posts.text_of(thing)
        posts.pop(parent, None)
        return Thread(gone=gone, text=text, posts=sorted(posts.values(), key=lambda post: post.at))

    def close(self) -> None:
        self._session.close()

    def _is_by_others(self, raw: Any) -> bool:
        author = raw.get("author") if isinstance(raw, dict) else None
        return isinstance(author, str) and author.casefold() != self._username.casefold()

    def _tree(self, thread: str, parent: str) -> Sequence[Mapping[str, Any]]:
        focus = {"comment": parent.removeprefix("t1_")} if parent.startswith("t1_") else {}
        path = f"comments/{thread.removeprefix('t3_')}/"
        answer = self._get(path, limit=500, sort="new", **focus)
        return list(reddit_posts.comments_below(answer[1]))

    def _ours(self, thread: str) -> Sequence[Mapping[str, Any]]:
        # A busy tree hides its newest comments behind "more"; our own page shows them all.
        listing = self._get(f"user/{self._username}/comments/", limit=_PAGE, sort="new")
        children = (child["data"] for child in listing["data"]["children"])
        return [thing for thing in children if thing["link_id"] == thread]

    def _get(self, path: str, **params: str | int) -> Any:
        return self._reddit.request(method="GET", path=path, params=params)


def _outcome(body: Any) -> Outcome:
    """What Reddit's answer to a comment proves. Pure."""
    answer = body.get("json", {}) if isinstance(body, dict) else {}
    if answer.get("errors"):
        codes = [str(error[0]) for error in answer["errors"]]
        return outcome_of("Reddit", refusal(codes, answer.get("ratelimit")))
    things = (answer.get("data") or {}).get("things") or ()
    if not things:
        # A quarantined subreddit takes the comment and shows nothing.
        return Unknown(reason="Reddit took the comment and did not show it")
    post = reddit_posts.parse(things[0]["data"])
    return Sent(native_id=post.native_id, url=post.url)


def _classify(error: Exception) -> Outcome:
    """What a failed request proves. Pure."""
    if isinstance(error, RequestException):
        return Refused(reason="signing in to Reddit got no answer", permanent=False)
    if isinstance(error, RedditAPIException):
        return outcome_of("Reddit", refusal([item.error_type for item in error.items]))
    if isinstance(error, OAuthException | ResponseException) and not isinstance(error, BadJSON):
        return outcome_of("Reddit", refusal_of(error))
    return Unknown(reason=f"Reddit's answer can't be read ({type(error).__name__})")
