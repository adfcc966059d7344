"""The connection to X: its settings, tweepy made fit to use, and what its errors mean.

tweepy signs, pages and knows the routes. It has no time-out, follows redirects, and its host
is fixed: `collectors.contract.transport` mends these. Its answers are taken as plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, Literal

import requests
import tweepy

from collectors.contract.config import FIRST_DAYS, Days, SourceConfig, require
from collectors.contract.source import PlatformError
from collectors.contract.transport import PlatformSession, RelayAdapter, UsedUp, retry_after_s
from collectors.contract.validation import MISREAD
from collectors.platforms.x.posts import Account

NO_CREDIT = 402
_DIGITS = 20


class XConfig(SourceConfig, frozen=True, kw_only=True):
    """An X account, and what to collect for it.

    `account` is our handle, `account_id` its numeric id (taken from the access token when
    empty). Reading takes the bearer token, or without one the four OAuth 1 keys; replying
    always takes the keys. `endpoint` stands in for tweepy's host.
    """

    secrets: ClassVar[frozenset[str]] = frozenset(
        {"bearer_token", "consumer_key", "consumer_secret", "access_token", "access_token_secret"}
    )

    account: str
    account_id: str = ""
    mode: Literal["mentions", "search"] = "mentions"
    query: str = ""
    bearer_token: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    access_token: str = ""
    access_token_secret: str = ""
    endpoint: str = "https://api.twitter.com"
    first_days: Days = FIRST_DAYS
    poll_every_s: float = 30.0
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        require(self, "account")
        if not self.bearer_token and not self.may_write:
            raise ValueError(
                "XConfig needs bearer_token, or consumer_key, consumer_secret, access_token "
                "and access_token_secret: make them in X's developer console"
            )
        if self.mode == "search":
            require(self, "query")
        if not self.user_id.isdigit():
            raise ValueError(
                f"XConfig.account_id must be the account's numeric id, got {self.account_id!r}; "
                "without it, access_token must begin with that id and a hyphen"
            )

    @property
    def may_write(self) -> bool:
        return bool(
            self.consumer_key
            and self.consumer_secret
            and self.access_token
            and self.access_token_secret
        )

    @property
    def user_id(self) -> str:
        return self.account_id or self.access_token.partition("-")[0]

    @property
    def us(self) -> Account:
        return Account(id=self.user_id, handle=self.account.removeprefix("@"))


def connect(config: XConfig, session: PlatformSession) -> tweepy.Client:
    """A client that asks nobody but the endpoint, over `session`, which the caller closes."""
    client = tweepy.Client(
        bearer_token=config.bearer_token or None,
        consumer_key=config.consumer_key or None,
        consumer_secret=config.consumer_secret or None,
        access_token=config.access_token or None,
        access_token_secret=config.access_token_secret or None,
        return_type=dict,
        wait_on_rate_limit=False,
    )
    session.mount("https://", RelayAdapter(config.endpoint, config.timeout_s))
    session.hooks["response"].append(_fit_for_tweepy)
    client.session = session
    return client


def _fit_for_tweepy(response: requests.Response, *_: Any, **__: Any) -> None:
    """Take out of a refusal what tweepy fails on: its status and its wait are what we need.

    tweepy expects a whole number in `x-rate-limit-reset`, and errors as X lists them.
    """
    if response.ok:
        return
    reset = response.headers.get("x-rate-limit-reset", "")
    if not (reset.isdecimal() and len(reset) <= _DIGITS):
        response.headers.pop("x-rate-limit-reset", None)
    try:
        tweepy.HTTPException(response)
    except MISREAD:
        response._content = b"{}"  # noqa: SLF001 -- where Response.json looks


@contextmanager
def reading(what: str, now: Callable[[], datetime]) -> Iterator[None]:
    """Turn whatever tweepy raises into a PlatformError."""
    try:
        yield
    except tweepy.HTTPException as error:
        raise explain(error, what, now()) from None  # its words are X's, and may repeat ours
    except UsedUp as error:
        raise PlatformError(f"X {what}: {error}", retry_after_s=error.wait_s) from None
    except (tweepy.TweepyException, requests.RequestException) as error:
        raise PlatformError(f"X {what}: no answer ({type(error).__name__})") from error
    except MISREAD as error:
        raise PlatformError(f"X {what}: the answer is not X's ({type(error).__name__})") from error


def explain(error: tweepy.HTTPException, what: str, now: datetime) -> PlatformError:
    """What X's refusal to be read means, and what to do about it."""
    status = error.response.status_code
    wait_s = retry_after_s(error.response.headers, now, "x-rate-limit-reset")
    if isinstance(error, tweepy.TooManyRequests):
        return PlatformError(f"X {what}: rate limit (429)", retry_after_s=wait_s)
    if isinstance(error, tweepy.Unauthorized | tweepy.Forbidden):
        return PlatformError(
            f"X {what}: refused ({status}): check the keys and the app's permissions",
            permanent=True,
        )
    if isinstance(error, tweepy.BadRequest | tweepy.NotFound):
        return PlatformError(
            f"X {what}: X does not understand the request ({status}): check account and query",
            permanent=True,
        )
    if status == NO_CREDIT:
        return PlatformError(
            f"X {what}: no credits left (402): raise the spending limit", retry_after_s=3600.0
        )
    return PlatformError(f"X {what}: server error ({status})", retry_after_s=wait_s)
