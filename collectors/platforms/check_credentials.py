"""Whether a platform lets us in: the cheapest request that it grants to valid credentials only.

Each answers with a sentence about what was seen, and raises PlatformError when we are not let in.
"""

from __future__ import annotations

from pathlib import Path

import requests

from collectors.contract.source import PlatformError
from collectors.contract.transport import PlatformSession
from collectors.contract.validation import utc_now
from collectors.platforms.bluesky.client import BlueskyConfig, Pds, XrpcError
from collectors.platforms.recorded.source import RecordedConfig
from collectors.platforms.reddit import client as reddit_client
from collectors.platforms.reddit.client import RedditConfig
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.x import client as x_client
from collectors.platforms.x import posts
from collectors.platforms.x.client import XConfig

_NO_POST = "1"
"""The id of a post that X does not have: looking it up is free."""


def x(config: XConfig) -> str:
    """Look up one post with each set of keys that is there."""
    session = PlatformSession(config.timeout_s)
    client = x_client.connect(config, session)
    ways = {"bearer token": False} if config.bearer_token else {}
    ways |= {"OAuth 1 keys": True} if config.may_write else {}
    try:
        for way, user_auth in ways.items():
            with x_client.reading(f"with the {way}", utc_now):
                answer = client.get_tweets(ids=[_NO_POST], user_auth=user_auth)
            if trouble := posts.trouble(answer):
                raise PlatformError(f"X with the {way}: {trouble}")
    finally:
        session.close()
    return f"X takes the {' and the '.join(ways)}"


def reddit(config: RedditConfig) -> str:
    """Sign in, and read one line of what the source reads."""
    path = "message/mentions" if config.inbox else f"r/{'+'.join(config.subreddits)}/new/"
    session = PlatformSession(config.timeout_s)
    try:
        client = reddit_client.connect(config, session)
        with reddit_client.reading("signing in"):
            client.request(method="GET", path=path, params={"limit": 1})
    finally:
        session.close()
    return f"Reddit lets {config.username or 'the app'} read {path}"


def bluesky(config: BlueskyConfig) -> str:
    """Sign in to our server, if there is an account to answer with; sign-ins are rationed."""
    if not config.identifier:
        return "read only: no credentials are set, none are needed"
    pds = Pds(config)
    try:
        return f"{config.service} knows {config.identifier} as {pds.did}"
    except (XrpcError, requests.RequestException) as error:
        raise PlatformError(
            f"{config.service} gave no clear answer ({type(error).__name__}): try again"
        ) from error
    finally:
        pds.close()


def recorded(config: RecordedConfig) -> str:
    path = Path(config.path)
    try:
        with path.open("rb"):
            return f"{path} can be read"
    except OSError as error:
        raise PlatformError(
            f"{path}: {error.strerror}: correct sources.NAME.path", permanent=True
        ) from error


def simulator(_: SimulatorConfig) -> str:
    return "the simulator needs no credentials"
