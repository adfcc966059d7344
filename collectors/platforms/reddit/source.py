"""Reddit through praw: subreddits, or the inbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from collectors.contract.config import first_stretch
from collectors.contract.rate_limits import RateLimits
from collectors.contract.resume import Page, walk_back
from collectors.contract.source import (
    Batch,
    Cursor,
    Limit,
)
from collectors.contract.transport import PlatformSession
from collectors.contract.validation import utc_now
from collectors.platforms.reddit import posts as reddit_posts
from collectors.platforms.reddit.client import (
    connect,
    rate_limits_of,
    reading,
)
from collectors.platforms.reddit.config import RedditConfig

_PAGE = 100
_LISTED = 800
"""So many rows may be a whole listing, when removed ones are left out of it."""
_LIMITS = (Limit(name="client", requests=100, per_s=60.0),)


class RedditSource:
    """Every comment and submission of a set of subreddits, or the mentions of our account.

    One combined listing for all subreddits: its comments come from every depth.
    """

    platform = "reddit"
    keeps_history = True
    limits: Sequence[Limit] = _LIMITS

    def __init__(self, config: RedditConfig, now: Callable[[], datetime] = utc_now) -> None:
        self.everything = config.inbox
        self._first_days = config.first_days
        self._now = now
        self.account = config.username
        self.poll_every_s = config.poll_every_s
        joined = "+".join(config.subreddits)
        self._paths = (
            {"mentions": "message/mentions"}
            if config.inbox
            else {"comments": f"r/{joined}/comments/", "submissions": f"r/{joined}/new/"}
        )
        self._session = PlatformSession(config.timeout_s, now, rate_limits_of(config))
        self._reddit = connect(config, self._session)

    @property
    def rate_limits(self) -> RateLimits:
        return self._session.rate_limits

    def parts(self) -> Sequence[str]:
        return tuple(self._paths)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        def page(token: str | None, _: Sequence[str]) -> Page:
            return self._page(part, token)

        # Listings hold about a thousand things. Removed ones are left out of that, so an
        # end after a full page or more may be where Reddit cut it off.
        return walk_back(
            cursor,
            page,
            where=f"reddit {part}",
            since=first_stretch(self._first_days, self._now()),
            window=_PAGE,
            listed=_LISTED,
        )

    def close(self) -> None:
        self._session.close()

    def _page(self, part: str, token: str | None) -> Page:
        params: dict[str, str | int] = {"limit": _PAGE}
        if token:
            params["after"] = token
        with reading(part):
            listing = self._reddit.request(method="GET", path=self._paths[part], params=params)
            return Page(rows=reddit_posts.rows(listing), next=reddit_posts.after(listing))
