"""Whether a platform takes our credentials is asked of the platform itself, once and cheaply."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collectors.contract.source import PlatformError
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.registry import PLATFORMS
from collectors.platforms.x.config import XConfig
from tests.collectors.platforms.bluesky.server import HANDLE, PASSWORD, BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer
from tests.collectors.platforms.x.server import BEARER, KEYS, XServer
from tests.collectors.platforms.x.server import HANDLE as X_HANDLE


def x_config(server: XServer, **changes: Any) -> XConfig:
    settings = {"account": X_HANDLE, "bearer_token": BEARER, "endpoint": server.url, **KEYS}
    return XConfig(**settings | changes)


def reddit_config(server: RedditServer, **changes: Any) -> RedditConfig:
    settings = {**ACCOUNT, "endpoint": server.url, "subreddits": ("acme", "gadgets")}
    return RedditConfig(**settings | changes)


def bluesky_config(server: BlueskyServer, **changes: Any) -> BlueskyConfig:
    settings = {
        "endpoint": server.stream_url,
        "service": server.url,
        "identifier": HANDLE,
        "password": PASSWORD,
    }
    return BlueskyConfig(**settings | changes)


def test_x_is_asked_once_with_each_set_of_keys() -> None:
    with XServer() as server:
        assert (
            PLATFORMS["x"].check_credentials(x_config(server))
            == "X takes the bearer token and the OAuth 1 keys"
        )
        assert len(server.requests) == 2
        keys = dict.fromkeys(KEYS, "")
        assert (
            PLATFORMS["x"].check_credentials(x_config(server, account_id="20", **keys))
            == "X takes the bearer token"
        )
        with pytest.raises(PlatformError, match="bearer token: signing in was refused") as told:
            PLATFORMS["x"].check_credentials(x_config(server, bearer_token="wrong-s3cret"))
        assert told.value.permanent
        assert "s3cret" not in str(told.value)
        with pytest.raises(PlatformError, match="OAuth 1 keys: signing in was refused"):
            PLATFORMS["x"].check_credentials(x_config(server, access_token_secret="wrong"))


def test_x_that_answers_with_its_reason_and_without_posts_does_not_let_us_in() -> None:
    capped = {
        "title": "UsageCapExceeded",
        "type": "https://api.twitter.com/2/problems/usage-capped",
    }
    with XServer() as server:
        server.mishap(Mishap(reply=Reply(200, {"errors": [capped]})))
        with pytest.raises(PlatformError, match="bearer token: UsageCapExceeded"):
            PLATFORMS["x"].check_credentials(x_config(server))


def test_reddit_is_signed_in_to_and_read_from() -> None:
    with RedditServer() as server:
        assert "r/acme+gadgets/new/" in PLATFORMS["reddit"].check_credentials(reddit_config(server))
        assert len(server.requests) == 2
        with pytest.raises(PlatformError, match="signing in was refused"):
            PLATFORMS["reddit"].check_credentials(reddit_config(server, client_secret="wrong"))


def test_bluesky_is_signed_in_to_only_with_an_account() -> None:
    with BlueskyServer() as server:
        assert "did:plc:acme" in PLATFORMS["bluesky"].check_credentials(bluesky_config(server))
        assert server.sign_ins == 1
        with pytest.raises(PlatformError, match="check identifier and app password") as told:
            PLATFORMS["bluesky"].check_credentials(bluesky_config(server, password="wrong"))
        assert told.value.permanent
        assert "read only" in PLATFORMS["bluesky"].check_credentials(
            bluesky_config(server, identifier="", password="")
        )
        assert server.sign_ins == 2


def test_a_platform_that_is_down_is_no_wrong_credential() -> None:
    with XServer() as x, RedditServer() as reddit:
        for server in (x, reddit):
            server.mishap(*[Mishap(reply=Reply(503))] * 4)
        with pytest.raises(PlatformError) as of_x:
            PLATFORMS["x"].check_credentials(x_config(x))
        with pytest.raises(PlatformError) as of_reddit:
            PLATFORMS["reddit"].check_credentials(reddit_config(reddit))
        assert not of_x.value.permanent
        assert not of_reddit.value.permanent


def test_a_recorded_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="No such file"):
        PLATFORMS["recorded"].check_credentials(RecordedConfig(path=str(tmp_path / "none")))
    (tmp_path / "posts").touch()
    assert "can be read" in PLATFORMS["recorded"].check_credentials(
        RecordedConfig(path=str(tmp_path / "posts"))
    )


def test_the_simulator_needs_none() -> None:
    simulator = PLATFORMS["simulator"]
    assert "no credentials" in simulator.check_credentials(simulator.read({}))
