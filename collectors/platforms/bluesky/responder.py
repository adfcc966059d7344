"""Replies on Bluesky through the account's server, and the thread as it is read back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import requests

from collectors.contract.causes import error_of, outcome_of
from collectors.contract.rate_limits import RateLimits
from collectors.contract.source import (
    Answer,
    Outcome,
    PlatformError,
    Refused,
    Sent,
    Thread,
    Unknown,
)
from collectors.contract.transport import UsedUp, never_sent
from collectors.contract.validation import MISREAD, clean_text, utc_now
from collectors.platforms.bluesky.causes import NOT_THERE
from collectors.platforms.bluesky.client import (
    Pds,
    SignInFailed,
    XrpcError,
)
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import (
    POSTS,
    record_key,
    reply_record,
    seen,
    seen_below,
)


class BlueskyResponder:
    """Replies as our account, each under a record key of our own.

    Putting a record is idempotent: a second attempt with the same `Answer.key` changes nothing.
    """

    platform = "bluesky"
    settle_s = 5.0

    def __init__(self, config: BlueskyConfig, now: Callable[[], datetime] = utc_now) -> None:
        if not config.identifier:
            raise ValueError(
                "replying on Bluesky needs identifier and password (an app password): set "
                "them, or leave this source without answers"
            )
        self._pds = Pds(config, now)

    @property
    def rate_limits(self) -> RateLimits:
        return self._pds.rate_limits

    def send(self, answer: Answer) -> Outcome:
        try:
            record = reply_record(answer.text, answer.address, answer.since)
        except KeyError as error:
            return Refused(reason=f"the mention's address lacks {error}", permanent=True)
        try:
            body = {
                "repo": self._pds.did,
                "collection": POSTS,
                "rkey": record_key(answer.key),
                "record": record,
            }
            uri = str(self._pds.post("com.atproto.repo.putRecord", body)["uri"])
        except SignInFailed as error:
            return Refused(
                reason=str(error), permanent=error.permanent, retry_after_s=error.retry_after_s
            )
        except XrpcError as error:
            return outcome_of("Bluesky", error.refusal)
        except (requests.RequestException, *MISREAD) as error:
            return _unanswered(error)
        did, _, rkey = uri.removeprefix("at://").replace(f"/{POSTS}", "").partition("/")
        return Sent(native_id=uri, url=f"https://bsky.app/profile/{did}/post/{rkey}")

    def read(self, answer: Answer) -> Thread:
        """The post as the network shows it, with what is below; ours straight from our server."""
        try:
            did = self._pds.did
            thread = self._thread(answer.parent)
            gone = "post" not in thread
            below = {post.native_id: post for post in seen_below(thread, did)}
            ours = self._own(did, record_key(answer.key))
            if ours is not None:
                below[ours["uri"]] = seen(ours["uri"], ours["value"], did, did)
            text = "" if gone else clean_text(thread["post"]["record"]["text"])
        except XrpcError as error:
            raise error_of("Bluesky thread", error.refusal) from error
        except UsedUp as error:
            raise PlatformError(f"Bluesky thread: {error}", retry_after_s=error.wait_s) from None
        except (requests.RequestException, *MISREAD) as error:
            raise PlatformError(f"Bluesky thread: no answer ({type(error).__name__})") from error
        return Thread(gone=gone, text=text, posts=sorted(below.values(), key=lambda post: post.at))

    def close(self) -> None:
        self._pds.close()

    def _thread(self, uri: str) -> dict[str, Any]:
        """The thread view; one without `post` if it is gone, or its author blocks us."""
        try:
            nsid = "app.bsky.feed.getPostThread"
            answer = self._pds.get(nsid, uri=uri, depth=10, parentHeight=0)
        except XrpcError as error:
            if error.name in NOT_THERE:
                return {}
            raise
        return dict(answer["thread"])

    def _own(self, did: str, rkey: str) -> dict[str, Any] | None:
        try:
            nsid = "com.atproto.repo.getRecord"
            return dict(self._pds.get(nsid, repo=did, collection=POSTS, rkey=rkey))
        except XrpcError as error:
            if error.name in NOT_THERE:
                return None
            raise


def _unanswered(error: Exception) -> Outcome:
    """What a request without an answer proves. Pure."""
    if isinstance(error, UsedUp):
        return Refused(reason=f"Bluesky: {error}", permanent=False, retry_after_s=error.wait_s)
    if never_sent(error):
        return Refused(reason="Bluesky could not be reached", permanent=False)
    return Unknown(reason=f"no clear answer from Bluesky ({type(error).__name__})")
