"""The Bluesky of our tests sends what the published lexicon says, and takes nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.source import BlueskySource
from tests.collectors.platforms.bluesky.lexicon import Lexicons
from tests.collectors.platforms.bluesky.server import BlueskyServer

STREAM = "network.bsky.jetstream.subscribeEvents"
RELAY = "com.atproto.sync.subscribeRepos"


@pytest.fixture(scope="module")
def lexicons() -> Lexicons:
    """The published lexicons; skipped without them, but never in CI."""
    folder = os.environ.get("EARSHOT_DATA_DIR")
    if folder:
        return Lexicons(Path(folder) / "schemas" / "bluesky")
    if os.environ.get("CI") == "true":
        pytest.fail("EARSHOT_DATA_DIR is not set: CI must hold the server to the lexicons")
    pytest.skip("EARSHOT_DATA_DIR is not set: there are no lexicons to hold the server to")


@pytest.fixture
def server() -> Iterator[BlueskyServer]:
    with BlueskyServer() as server:
        yield server


def frames(server: BlueskyServer, path: str, count: int) -> list[dict[str, Any]]:
    """The first `count` frames of the stream."""
    with connect(f"{server.stream_url}{path}cursor=1") as stream:
        return [json.loads(stream.recv(timeout=5)) for _ in range(count)]


def happen(server: BlueskyServer) -> list[str]:
    """One event of each kind; the kinds in their order."""
    root = server.post("Acme is down")
    server.edit(server.post("me too", "did:plc:bo", reply_to=root), "me too!")
    server.delete(root)
    server.rename("did:plc:bo", "bo.example.org")
    server.leave("did:plc:bo", "takendown")
    return ["commit"] * 4 + ["identity", "account"]


def test_each_frame_of_version_2_is_one_of_the_lexicon(
    server: BlueskyServer, lexicons: Lexicons
) -> None:
    kinds = happen(server)
    for kind, frame in zip(kinds, frames(server, f"/xrpc/{STREAM}?", len(kinds)), strict=True):
        assert frame.keys() == {"$type", "payload"}
        assert (frame["$type"], frame["payload"]["$type"]) == ("message", f"{STREAM}#{kind}")
        assert lexicons.flaws(f"{STREAM}#{kind}", frame["payload"]) == []


def test_version_1_nests_each_event_under_its_kind(
    server: BlueskyServer, lexicons: Lexicons
) -> None:
    kinds = happen(server)
    for kind, frame in zip(kinds, frames(server, "/subscribe?", len(kinds)), strict=True):
        assert frame.keys() == {"did", "time_us", "cursor", "kind", kind}
        assert frame["kind"] == kind
        if kind != "commit":
            assert lexicons.flaws(f"{RELAY}#{kind}", frame[kind]) == []


def test_what_the_source_asks_with_are_parameters_of_the_lexicon(
    server: BlueskyServer, lexicons: Lexicons
) -> None:
    source = BlueskySource(BlueskyConfig(endpoint=server.stream_url), wait_s=0.1)
    source.poll("posts", source.poll("posts", None).cursor)
    source.close()
    parts = urlsplit(server.connects[0])
    known = lexicons[STREAM]["parameters"]["properties"]
    asked = parse_qs(parts.query)
    assert parts.path == f"/xrpc/{STREAM}"
    assert asked.keys() <= known.keys()
    assert {*asked["kinds"]} <= {*known["kinds"]["items"]["enum"]}
    size = known["maxMessageSizeBytes"]
    assert size["minimum"] < int(asked["maxMessageSizeBytes"][0]) <= size["maximum"]


@pytest.mark.parametrize("query", ["wantedCollections=app.bsky.feed.post", "kinds=like"])
def test_what_the_lexicon_does_not_know_is_refused(server: BlueskyServer, query: str) -> None:
    with pytest.raises(InvalidStatus, match="400"):
        connect(f"{server.stream_url}/xrpc/{STREAM}?{query}")


def test_a_shape_that_was_never_published_is_a_flaw(lexicons: Lexicons) -> None:
    flat = {"seq": 1, "did": "did:plc:a", "time": "2026-03-02T12:00:00Z", "active": False}
    assert lexicons.flaws(f"{STREAM}#account", flat) == [
        f"{STREAM}#account.account is missing",
        f"{STREAM}#account.active is not in the lexicon",
    ]
