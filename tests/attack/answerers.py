"""A responder of each platform on its loopback server, with something to answer there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from collectors.contract.source import Answer, Responder
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.responder import XResponder
from tests.collectors.platforms.bluesky.server import DID, HANDLE, PASSWORD, BlueskyServer
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer
from tests.collectors.platforms.x.server import HANDLE as X_HANDLE
from tests.collectors.platforms.x.server import KEYS, US, XServer

NOW = datetime.now(UTC)


def x_responder(server: XServer) -> tuple[Responder, Answer, str, Any]:
    settings = {"account": X_HANDLE, "account_id": US, "endpoint": server.url, **KEYS}
    config = msgspec.convert(settings, XConfig)
    first = server.post(f"@{X_HANDLE} hello")
    given = Answer(
        key="k", parent=first, thread=first, text="Sorry", since=NOW, address={"tweet": first}
    )
    return XResponder(config), given, "tweets", {"data": {"id": "9", "text": "Sorry"}}


def reddit_responder(server: RedditServer) -> tuple[Responder, Answer, str, Any]:
    root = server.submit("Acme")
    name = server.comment(root, "hello")
    thing = dict(server.comments[0])
    body = {"json": {"errors": [], "data": {"things": [{"kind": "t1", "data": thing}]}}}
    given = Answer(
        key="k", parent=name, thread=root, text="Sorry", since=NOW, address={"thing": name}
    )
    settings = {**ACCOUNT, "endpoint": server.url, "subreddits": ["acme"]}
    return RedditResponder(msgspec.convert(settings, RedditConfig)), given, "api/comment", body


def bluesky_responder(server: BlueskyServer) -> tuple[Responder, Answer, str, Any]:
    config = BlueskyConfig(
        endpoint=server.stream_url, service=server.url, identifier=HANDLE, password=PASSWORD
    )
    uri = server.post("acme")
    root = {"root_uri": uri, "root_cid": "c", "uri": uri, "cid": "c"}
    given = Answer(key="k", parent=uri, thread=uri, text="Sorry", since=NOW, address=root)
    return BlueskyResponder(config), given, "putRecord", {"uri": f"at://{DID}/p/1", "cid": "c"}


ANSWERERS = [
    pytest.param(XServer, x_responder, id="x"),
    pytest.param(RedditServer, reddit_responder, id="reddit"),
    pytest.param(BlueskyServer, bluesky_responder, id="bluesky"),
]

READS = {"x": "/2/tweets", "reddit": "api/info", "bluesky": "getPostThread"}
"""A part of the address at which each reads back what it answers to."""
