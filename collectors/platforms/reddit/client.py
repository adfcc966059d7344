"""The connection to Reddit: praw made fit to use, and what its errors mean.

praw signs in, keeps the token fresh and speaks the API. Its own streams lose comments when
their anchor is deleted, and its objects fetch missing attributes one by one: so listings
are read as raw JSON by `reddit.request`, and walked by `collectors.contract.resume`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from weakref import WeakValueDictionary

import praw
import requests
from praw.exceptions import PRAWException
from prawcore import Requestor
from prawcore.exceptions import (
    InvalidToken,
    OAuthException,
    PrawcoreException,
    RequestException,
    ResponseException,
)

from collectors.contract.causes import Cause, Refusal, error_of
from collectors.contract.rate_limits import LimitHeaders, RateLimits
from collectors.contract.source import PlatformError
from collectors.contract.transport import PlatformSession, UsedUp, retry_after_s
from collectors.contract.validation import MISREAD, utc_now
from collectors.contract.waits import bounded_wait_s
from collectors.platforms.reddit.causes import by_status
from collectors.platforms.reddit.config import RedditConfig

LIMIT_HEADERS = (
    LimitHeaders(name="x-ratelimit", size="used", reset="seconds", counted_by="client"),
)

_BY_CLIENT: WeakValueDictionary[tuple[str, str], RateLimits] = WeakValueDictionary()
"""Kept as long as a source or a responder of the client is there."""


class Unanswered(Exception):
    """A request that may or may not have been carried out; the cause says why.

    `wait_s` is how long Reddit asks us to wait, in seconds, where it said so.
    """

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class OneAttempt(Requestor):
    """Sends once, and never sleeps.

    prawcore repeats a POST after a time-out, a 408 or a 5xx, and would post twice: that is
    raised as `Unanswered`. It also sleeps until a used-up window ends, for longer than a reply's
    lease lasts: `PlatformSession` raises `UsedUp` instead. Both pass through prawcore untouched.
    """

    def request(self, *args: Any, timeout: float | None = None, **kwargs: Any) -> requests.Response:
        """The answer below 500. Raises Unanswered, UsedUp, and RequestException at sign-in."""
        # `timeout` is prawcore's own default here: ours was given to the constructor.
        try:
            response = super().request(*args, timeout=self.timeout, **kwargs)
        except RequestException as error:
            if isinstance(error.original_exception, UsedUp):
                raise error.original_exception from None
            if _signs_in(args):
                raise
            raise Unanswered(type(error.original_exception).__name__) from error.original_exception
        wait_s = _in_plain_words(response)
        unclear = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or (
            response.status_code == HTTPStatus.REQUEST_TIMEOUT
        )
        if unclear and not _signs_in(args):
            raise Unanswered(f"server error {response.status_code}", wait_s)
        return response


def _in_plain_words(response: requests.Response) -> float | None:
    """How long the answer asks us to wait, in seconds; its headers are made fit for prawcore.

    prawcore sleeps by `x-ratelimit-…`, fails where they are not whole numbers, and fails where
    `Retry-After` is a date. The session has noted them all before.
    """
    headers = response.headers
    to_go = _seconds(headers.get("x-ratelimit-reset", ""))
    wait_s = retry_after_s(headers, utc_now()) or bounded_wait_s(to_go)
    for name in ("x-ratelimit-remaining", "retry-after"):
        headers.pop(name, None)
    if wait_s and not response.ok:
        headers["retry-after"] = str(wait_s)
    return wait_s


def _seconds(told: str) -> float | None:
    try:
        return float(told)
    except ValueError:
        return None


def _signs_in(args: tuple[Any, ...]) -> bool:
    return any(str(arg).endswith("/api/v1/access_token") for arg in args)


def connect(config: RedditConfig, session: requests.Session) -> praw.Reddit:
    """A client that asks nobody but the endpoint, over `session`, which the caller closes."""
    hosts = {"reddit_url": config.endpoint, "oauth_url": config.endpoint} if config.endpoint else {}
    signing: dict[str, str] = {}
    if config.refresh_token:
        signing = {"refresh_token": config.refresh_token}
    elif config.username and config.password:
        signing = {"username": config.username, "password": config.password}
    return praw.Reddit(
        client_id=config.client_id,
        client_secret=config.client_secret,
        user_agent=config.user_agent,
        check_for_updates=False,
        check_for_async=False,
        requestor_class=OneAttempt,
        requestor_kwargs={"timeout": config.timeout_s, "session": session},
        **signing,
        **hosts,
    )


def rate_limits_of(config: RedditConfig) -> RateLimits:
    """What Reddit said of the client's window: one for all in this process that use the client.

    Reddit counts by client, so that an inbox and a subreddit source use up each other's.
    """
    return _BY_CLIENT.setdefault((config.endpoint, config.client_id), RateLimits(LIMIT_HEADERS))


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever praw raises into a PlatformError."""
    try:
        yield
    except UsedUp as error:
        raise PlatformError(f"Reddit {what}: {error}", retry_after_s=error.wait_s) from None
    except (PrawcoreException, PRAWException, Unanswered, AssertionError) as error:
        raise explain(error, what) from None  # its words are Reddit's, and may repeat ours
    except (OSError, *MISREAD) as error:
        raise PlatformError(
            f"Reddit {what}: not Reddit's answer ({type(error).__name__})"
        ) from error


def explain(error: Exception, what: str) -> PlatformError:
    """What Reddit's refusal to be read means, and what to do about it."""
    if isinstance(error, OAuthException | InvalidToken | ResponseException):
        return error_of(f"Reddit {what}", refusal_of(error))
    wait_s, cause = None, type(error.__cause__ or error).__name__
    if isinstance(error, Unanswered):
        wait_s, cause = error.wait_s, str(error)
    return PlatformError(f"Reddit {what}: no answer ({cause})", retry_after_s=wait_s)


def refusal_of(error: PrawcoreException) -> Refusal:
    """What a refusal says that has no code of Reddit's: its status, and what asked for it."""
    if not isinstance(error, ResponseException):  # the sign-in was answered, and refused
        return Refusal(cause=Cause.CREDENTIALS)
    wait_s = retry_after_s(error.response.headers, utc_now())
    return by_status(error.response.status_code, wait_s)


def check_credentials(config: RedditConfig) -> str:
    """Sign in, and read one line of what the source reads."""
    path = "message/mentions" if config.inbox else f"r/{'+'.join(config.subreddits)}/new/"
    session = PlatformSession(config.timeout_s)
    try:
        client = connect(config, session)
        with reading("signing in"):
            client.request(method="GET", path=path, params={"limit": 1})
    finally:
        session.close()
    return f"Reddit lets {config.username or 'the app'} read {path}"
