"""X through tweepy: own mentions, or a recent search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import tweepy

from collectors.contract.config import first_stretch
from collectors.contract.rate_limits import RateLimits
from collectors.contract.resume import Page, read_ring, walk_back
from collectors.contract.source import (
    Batch,
    Cursor,
    Gap,
    Limit,
)
from collectors.contract.transport import (
    PlatformSession,
)
from collectors.contract.validation import utc_now
from collectors.platforms.x import posts as x_posts
from collectors.platforms.x.client import (
    LIMIT_HEADERS,
    REACH,
    REACH_MARGIN,
    checked,
    connect,
    following,
    reading,
)
from collectors.platforms.x.config import XConfig

_OVERLAP = 10
"""How far below the newest known id we ask again: X indexes some posts late."""
_EARLIEST = datetime(2010, 11, 6, tzinfo=UTC)
"""The earliest `start_time` of a timeline; a search takes none of more than seven days ago."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_MENTIONS_KEPT = 800
"""X's mentions timeline ends there; a walk that comes near it may have been cut off."""
_NEVER_CUT = 10**9
_PAGE = 100
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
        self._session = PlatformSession(config.timeout_s, now, RateLimits(LIMIT_HEADERS))
        self._client = connect(config, self._session)

    @property
    def rate_limits(self) -> RateLimits:
        return self._session.rate_limits

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
        floor = self._now() - REACH + REACH_MARGIN
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
        earliest = self._now() - REACH + REACH_MARGIN if searching else _EARLIEST
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
        answer = checked(answer, self._config.mode)
        next_token = following(answer)
        return Page(
            rows=x_posts.rows(answer, self._config.us),
            next=f"{start}|{next_token}" if next_token else None,
        )
