"""X through tweepy: own mentions or a recent search, and replies where X lets us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import tweepy

from collectors.contract.config import first_stretch
from collectors.contract.rate_limits import Allowances
from collectors.contract.reading_back import readable
from collectors.contract.resume import Page, read_ring, walk_back
from collectors.contract.source import (
    Answer,
    Batch,
    Cursor,
    Gap,
    Limit,
    Outcome,
    PlatformError,
    Refused,
    Seen,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.transport import PlatformSession, UsedUp, never_sent, retry_after_s
from collectors.contract.validation import MISREAD, clean_id, utc_now
from collectors.platforms.x import posts as x_posts
from collectors.platforms.x.client import NO_CREDIT, XConfig, connect, reading

_OVERLAP = 10
"""How far below the newest known id we ask again: X indexes some posts late."""
_REACH = timedelta(days=7)
_MARGIN = timedelta(minutes=5)
_EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
"""The earliest `start_time` of a timeline; a search takes none of more than seven days ago."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MENTIONS_KEPT = 800
"""X's mentions timeline ends there; a walk that comes near it may have been cut off."""
_NEVER_CUT = 10**9
_PAGE = 100
_THREAD_PAGES = 8
_FORBIDDEN = 403
_NOT_FOUND = 404
_TOO_MANY = 429
_SERVER_ERROR = 500
_SKEW = timedelta(minutes=1)


class XSource:
    """One account's mentions, or one search, newest first. Every post is a mention."""

    platform = "x"
    keeps_history = True
    everything = True

    def __init__(self, config: XConfig, now: Callable[[], datetime] = utc_now) -> None:
        self.account = config.us.id
        self.poll_every_s = config.poll_every_s
        self._config = config
        self._now = now
        self._user_auth = not config.bearer_token
        per_user = config.mode == "mentions" and self._user_auth
        self.limits: Sequence[Limit] = (
            Limit(name=config.mode, requests=300 if per_user else 450, per_s=900.0),
        )
        self._session = PlatformSession(config.timeout_s, now)
        self._client = connect(config, self._session)

    @property
    def allowances(self) -> Allowances:
        return self._session.allowances

    def parts(self) -> Sequence[str]:
        return (self._config.mode,)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        searching = self._config.mode == "search"
        window = _NEVER_CUT if searching else _MENTIONS_KEPT - _PAGE
        where = f"x {part}"
        ring = read_ring(cursor, where)

        def page(token: str | None, seen: Sequence[str]) -> Page:
            return self._page(token, seen, ring.since if ring else None)

        since = first_stretch(self._config.first_days, self._now())
        return walk_back(cursor, page, where=where, since=since, window=window)

    def close(self) -> None:
        self._session.close()

    def _page(self, token: str | None, seen: Sequence[str], first: datetime | None) -> Page:
        # The token of a page belongs to its query: a walk that began with a start time
        # must go on with it.
        start, _, page_token = (token or "").rpartition("|")
        since: dict[str, Any] = {}
        if start:
            since = {"start_time": start}
        elif known := self._known(seen):
            since = {"since_id": min(sorted(known)[-_OVERLAP:])}
        elif first:  # nothing is known yet: what is older than the first stretch costs nothing
            start = self._as_far_as(first)
            since = {"start_time": start}
        with reading(self._config.mode, self._now):
            try:
                return self._ask(since, page_token, start)
            except tweepy.BadRequest as error:
                if "since_id" not in since or "since_id" not in str(error):
                    raise
            return self._restart(since["since_id"])

    def _known(self, seen: Sequence[str]) -> list[int]:
        """The ids among the marks that X can have given: not those of rows that had none."""
        latest = self._now() + _SKEW
        return [
            int(mark) for mark in seen if x_posts.is_id(mark) and x_posts.time_of(mark) < latest
        ]

    def _restart(self, since_id: int) -> Page:
        """Go on as far back as X allows, where it no longer knows `since_id` (HTTP 400)."""
        floor = self._now() - _REACH + _MARGIN
        start = floor.strftime(_TIME)
        page = self._ask({"start_time": start}, "", start)
        gap = Gap(
            reason="X keeps seven days for search, and we were away for longer",
            since=x_posts.time_of(str(since_id)),
            until=floor,
        )
        return Page(rows=page.rows, next=page.next, gap=gap)

    def _as_far_as(self, first: datetime) -> str:
        """`first` as X writes a time, or the earliest that X takes instead."""
        searching = self._config.mode == "search"
        earliest = self._now() - _REACH + _MARGIN if searching else _EARLIEST
        return max(first, earliest).strftime(_TIME)

    def _ask(self, since: Mapping[str, Any], page_token: str, start: str) -> Page:
        params: dict[str, Any] = {
            "max_results": _PAGE,
            "tweet_fields": x_posts.POST_FIELDS,
            "user_fields": x_posts.USER_FIELDS,
            "expansions": x_posts.EXPANSIONS,
            "user_auth": self._user_auth,
            **since,
        }
        if self._config.mode == "search":
            answer = self._client.search_recent_tweets(
                self._config.query, next_token=page_token or None, **params
            )
        else:
            answer = self._client.get_users_mentions(
                self._config.user_id, pagination_token=page_token or None, **params
            )
        answer = _checked(answer, self._config.mode)
        following = _next(answer)
        return Page(
            rows=x_posts.rows(answer, self._config.us),
            next=f"{start}|{following}" if following else None,
        )


class XResponder:
    """Replies as our account. X has no idempotency: a doubt is `Unknown`, never repeated here."""

    platform = "x"
    settle_s = 15.0
    length_limit = 280

    def __init__(self, config: XConfig, now: Callable[[], datetime] = utc_now) -> None:
        if not config.may_write:
            raise ValueError(
                "replying on X needs consumer_key, consumer_secret, access_token and "
                "access_token_secret: set them, or leave this source without answers"
            )
        self._config = config
        self._now = now
        self._session = PlatformSession(config.timeout_s, now)
        self._client = connect(config, self._session)

    @property
    def allowances(self) -> Allowances:
        return self._session.allowances

    def send(self, answer: Answer) -> Outcome:
        parent = answer.address.get("tweet", answer.parent)
        try:
            made = self._client.create_tweet(
                text=answer.text, in_reply_to_tweet_id=parent, user_auth=True
            )
            made_id = str(made["data"]["id"])
        except tweepy.HTTPException as error:
            return classify(error, self._now())
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
        found = _checked(answer, "post").get("data") or ()
        return found[0] if found else None

    @property
    def _user_auth(self) -> bool:
        return not self._config.bearer_token

    def _below(self, answer: Answer) -> Iterator[Mapping[str, Any]]:
        """The thread by search (others' posts too, seven days), and our own timeline.

        The timeline is what proves that a reply is absent: the search may lag.
        """
        floor = self._now() - _REACH + _MARGIN
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
            answer = _checked(ask(token), "thread")
            yield from answer.get("data") or ()
            token = _next(answer)
            if not token:
                return
        raise PlatformError(f"X thread: more than {_THREAD_PAGES * _PAGE} posts, read it by hand")


def _checked(answer: Any, what: str) -> Mapping[str, Any]:
    """An answer that holds what was asked for. Raises PlatformError with X's own title."""
    if trouble := x_posts.trouble(answer):
        raise PlatformError(f"X {what}: {trouble}")
    found: Mapping[str, Any] = answer
    return found


def _next(answer: Mapping[str, Any]) -> str | None:
    """The next page's token. Raises TypeError where it is none: the rest would be lost."""
    token = (answer.get("meta") or {}).get("next_token")
    if token is not None and not (isinstance(token, str) and clean_id(token)):
        raise TypeError("next_token is not a token")
    return token or None


def _named(post: Seen, version: str, parent: str) -> Seen:
    """A reply to a `version` of an edited post is a reply to the post, whose id is `parent`."""
    return replace(post, parent=parent) if post.parent == version else post


def classify(error: tweepy.HTTPException, now: datetime) -> Outcome:
    """What X's refusal of a reply proves. Pure."""
    status = error.response.status_code
    wait_s = retry_after_s(error.response.headers, now, "x-rate-limit-reset")
    words = " ".join(str(message) for message in error.api_messages).casefold()
    if status >= _SERVER_ERROR:
        return Unknown(reason=f"X answered {status}")
    if status == _TOO_MANY:
        return Refused(reason="X's rate limit (429)", permanent=False, retry_after_s=wait_s)
    if status == NO_CREDIT:
        reason = "no credits left at X (402): raise the spending limit"
        return Refused(reason=reason, permanent=False, retry_after_s=3600.0)
    if status == _FORBIDDEN and "duplicate" in words:
        return Unknown(reason="X says that this text was posted already (403)")
    return Refused(reason=f"X refused the reply ({status}): {_cause(status)}", permanent=True)


def _cause(status: int) -> str:
    if status == _FORBIDDEN:
        return "the post did not mention us, is gone, or the app may not write"
    if status == _NOT_FOUND:
        return "the post is gone"
    return "check the account's keys and the app's permissions"
