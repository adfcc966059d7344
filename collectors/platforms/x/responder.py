"""X through tweepy: replies where X lets us, and the thread as it is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import requests
import tweepy

from collectors.contract.causes import outcome_of
from collectors.contract.rate_limits import RateLimits
from collectors.contract.reading_back import readable
from collectors.contract.source import (
    Answer,
    Outcome,
    PlatformError,
    Refused,
    Seen,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.transport import (
    PlatformSession,
    UsedUp,
    never_sent,
)
from collectors.contract.validation import MISREAD, utc_now
from collectors.platforms.x import posts as x_posts
from collectors.platforms.x.client import (
    LIMIT_HEADERS,
    REACH,
    REACH_MARGIN,
    checked,
    connect,
    following,
    reading,
    refusal_of,
)
from collectors.platforms.x.config import XConfig

_PAGE = 100
_THREAD_PAGES = 8
_SKEW = timedelta(minutes=1)


class XResponder:
    """Replies as our account. X has no idempotency: a doubt is `Unknown`, never repeated here."""

    platform = "x"
    settle_s = 15.0

    def __init__(self, config: XConfig, now: Callable[[], datetime] = utc_now) -> None:
        if not config.may_write:
            raise ValueError(
                "replying on X needs consumer_key, consumer_secret, access_token and "
                "access_token_secret: set them, or leave this source without answers"
            )
        self._config = config
        self._now = now
        self._session = PlatformSession(config.timeout_s, now, RateLimits(LIMIT_HEADERS))
        self._client = connect(config, self._session)

    @property
    def rate_limits(self) -> RateLimits:
        return self._session.rate_limits

    def send(self, answer: Answer) -> Outcome:
        parent = answer.address.get("tweet", answer.parent)
        try:
            made = self._client.create_tweet(
                text=answer.text, in_reply_to_tweet_id=parent, user_auth=True
            )
            made_id = str(made["data"]["id"])
        except tweepy.HTTPException as error:
            return outcome_of("X", refusal_of(error, self._now()))
        except UsedUp as error:
            return Refused(reason=f"X: {error}", permanent=False, retry_after_s=error.wait_s)
        except requests.RequestException as error:
            if never_sent(error):
                return Refused(reason="X could not be reached", permanent=False)
            return Unknown(reason=f"no answer from X ({type(error).__name__})")
        except (tweepy.TweepyException, *MISREAD) as error:
            return Unknown(reason=f"X's answer can't be read ({type(error).__name__})")
        return Sent(native_id=made_id, url=f"https://x.com/i/status/{made_id}")

    def read(self, answer: Answer) -> Thread:
        """The parent's newest version, and the posts below: the thread's, and all of ours."""
        version = answer.address.get("tweet", answer.parent)

        def see(raw: Mapping[str, Any]) -> Seen | None:
            thread = raw.get("conversation_id")
            if x_posts.is_id(thread) and thread != answer.thread:
                return None
            post = x_posts.seen(raw, self._config.us)
            is_below = int(raw["id"]) > int(answer.parent) and raw["id"] != version
            if thread != answer.thread or not is_below:
                return None
            return _named(post, version, answer.parent)

        with reading("thread", self._now):
            parent = self._newest(version)
            below = {
                post.native_id: post
                for post in readable(self._below(answer), see, self._is_by_others)
            }
            text = x_posts.text_of(parent) if parent else ""
        posts = sorted(below.values(), key=lambda post: int(post.native_id))
        return Thread(gone=parent is None, text=text, posts=posts)

    def close(self) -> None:
        self._session.close()

    def _is_by_others(self, raw: Any) -> bool:
        author_id = raw.get("author_id") if isinstance(raw, dict) else None
        return x_posts.is_id(author_id) and author_id != self._config.us.id

    def _newest(self, id: str) -> Mapping[str, Any] | None:
        """The newest version of a post, or None if it is gone."""
        found = self._lookup(id)
        newest = (found or {}).get("edit_history_tweet_ids", [id])[-1]
        return found if newest == id else self._lookup(newest) or found

    def _lookup(self, id: str) -> Mapping[str, Any] | None:
        answer = self._client.get_tweets(
            [id], tweet_fields=x_posts.POST_FIELDS, user_auth=self._user_auth
        )
        found = checked(answer, "post").get("data") or ()
        return found[0] if found else None

    @property
    def _user_auth(self) -> bool:
        return not self._config.bearer_token

    def _below(self, answer: Answer) -> Iterator[Mapping[str, Any]]:
        """The thread by search (others' posts too, seven days), and our own timeline.

        The timeline is what proves that a reply is absent: the search may lag.
        """
        floor = self._now() - REACH + REACH_MARGIN
        begun = max(min(x_posts.time_of(answer.thread), self._now() - _SKEW), floor)
        query = f"conversation_id:{answer.thread}"
        yield from self._pages(
            lambda token: self._client.search_recent_tweets(
                query,
                start_time=begun,
                next_token=token,
                max_results=_PAGE,
                tweet_fields=x_posts.POST_FIELDS,
                user_auth=self._user_auth,
            )
        )
        yield from self._pages(
            lambda token: self._client.get_users_tweets(
                self._config.user_id,
                start_time=answer.since - _SKEW,
                pagination_token=token,
                max_results=_PAGE,
                tweet_fields=x_posts.POST_FIELDS,
                user_auth=self._user_auth,
            )
        )

    def _pages(self, ask: Callable[[str | None], Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        for _ in range(_THREAD_PAGES):
            answer = checked(ask(token), "thread")
            yield from answer.get("data") or ()
            token = following(answer)
            if not token:
                return
        raise PlatformError(f"X thread: more than {_THREAD_PAGES * _PAGE} posts, read it by hand")


def _named(post: Seen, version: str, parent: str) -> Seen:
    """A reply to a `version` of an edited post is a reply to the post, whose id is `parent`."""
    return replace(post, parent=parent) if post.parent == version else post
