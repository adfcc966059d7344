"""The connection to X: tweepy made fit to use, and what its errors mean.

tweepy signs, pages and knows the routes. It has no time-out, follows redirects, and its host
is fixed: `collectors.contract.transport` mends these. Its answers are taken as plain dictionaries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import requests
import tweepy

from collectors.contract.causes import Refusal, error_of
from collectors.contract.rate_limits import LimitHeaders
from collectors.contract.source import PlatformError
from collectors.contract.transport import (
    PlatformSession,
    RelayAdapter,
    UsedUp,
    json_of,
    retry_after_s,
)
from collectors.contract.validation import MISREAD, clean_id, utc_now
from collectors.platforms.x import posts as x_posts
from collectors.platforms.x.causes import refusal, spent_day
from collectors.platforms.x.config import XConfig

LIMIT_HEADERS = (
    LimitHeaders(name="x-rate-limit"),
    LimitHeaders(name="x-app-limit-24hour"),
    LimitHeaders(name="x-user-limit-24hour"),
)
"""Each route's quarter of an hour; for posts the day of the app, and that of the account."""

_NO_POST = "1"
"""The id of a post that X does not have: looking it up is free."""
_DIGITS = 20
REACH = timedelta(days=7)
"""How far back a search goes."""
REACH_MARGIN = timedelta(minutes=5)


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
        raise error_of(
            f"X {what}", refusal_of(error, now())
        ) from None  # its words are X's, and may repeat ours
    except UsedUp as error:
        raise PlatformError(f"X {what}: {error}", retry_after_s=error.wait_s) from None
    except (tweepy.TweepyException, requests.RequestException) as error:
        raise PlatformError(f"X {what}: no answer ({type(error).__name__})") from error
    except MISREAD as error:
        raise PlatformError(f"X {what}: the answer is not X's ({type(error).__name__})") from error


def refusal_of(error: tweepy.HTTPException, now: datetime) -> Refusal:
    """What X's refusal says."""
    headers = error.response.headers
    reset = f"{spent_day(headers) or 'x-rate-limit'}-reset"
    try:
        body = json_of(error.response)
    except (requests.RequestException, *MISREAD):
        body = None
    status = error.response.status_code
    return refusal(status, body, headers, retry_after_s(headers, now, reset))


def checked(answer: Any, what: str) -> Mapping[str, Any]:
    """An answer that holds what was asked for. Raises PlatformError with X's own title."""
    if trouble := x_posts.trouble(answer):
        raise PlatformError(f"X {what}: {trouble}")
    found: Mapping[str, Any] = answer
    return found


def following(answer: Mapping[str, Any]) -> str | None:
    """The next page's token. Raises TypeError where it is none: the rest would be lost."""
    token = (answer.get("meta") or {}).get("next_token")
    if token is not None and not (isinstance(token, str) and clean_id(token)):
        raise TypeError("next_token is not a token")
    return token or None


def check_credentials(config: XConfig) -> str:
    """Look up one post with each set of keys that is there."""
    session = PlatformSession(config.timeout_s)
    client = connect(config, session)
    ways = {"bearer token": False} if config.bearer_token else {}
    ways |= {"OAuth 1 keys": True} if config.may_write else {}
    try:
        for way, user_auth in ways.items():
            with reading(f"with the {way}", utc_now):
                answer = client.get_tweets(ids=[_NO_POST], user_auth=user_auth)
            if trouble := x_posts.trouble(answer):
                raise PlatformError(f"X with the {way}: {trouble}")
    finally:
        session.close()
    return f"X takes the {' and the '.join(ways)}"
