"""Where a platform client may go: to the host that the operator named, and nowhere it is sent.

The clients are the real ones. `Trap` is a host that nobody named: it must never be reached.
"""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from collectors.contract import transport
from collectors.contract.source import Answer, PlatformError, Refused, Unknown
from collectors.contract.transport import OversizedAnswer, PlatformSession
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.bluesky.source import BlueskySource
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.responder import RedditResponder
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource
from tests.collectors.platforms.bluesky.server import HANDLE, PASSWORD, BlueskyServer
from tests.collectors.platforms.loopback import Loopback, Mishap, Reply, Request
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer
from tests.collectors.platforms.x.server import BEARER, KEYS, US, XServer
from tests.collectors.platforms.x.server import HANDLE as X_HANDLE

NOW = datetime.now(UTC)


class Trap(Loopback):
    """A host inside somebody's network. `requests` is what reached it."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"access_token": "t", "expires_in": 3600, "data": {"children": []}})


@pytest.fixture
def trap() -> Iterator[Trap]:
    with Trap() as trap:
        yield trap


KNOWN = {"v": 1, "seen": []}
"""The cursor of a listing that was read before: the very first poll asks the platform nothing."""


def an_answer(parent: str, **address: str) -> Answer:
    return Answer(key="k", parent=parent, thread=parent, text="Hi", since=NOW, address=address)


def ask_x(url: str) -> None:
    settings = {"account": X_HANDLE, "account_id": US, "bearer_token": BEARER, **KEYS}
    config = msgspec.convert({**settings, "endpoint": url}, XConfig)
    with pytest.raises(PlatformError):
        XSource(config).poll("mentions", KNOWN)
    outcome = XResponder(config).send(an_answer("1", tweet="1"))
    assert isinstance(outcome, Refused | Unknown)


def ask_reddit(url: str) -> None:
    settings = {**ACCOUNT, "endpoint": url, "subreddits": ["acme"]}
    config = msgspec.convert(settings, RedditConfig)
    with pytest.raises(PlatformError):
        RedditSource(config).poll("comments", KNOWN)
    outcome = RedditResponder(config).send(an_answer("t1_a", thing="t1_a"))
    assert isinstance(outcome, Refused | Unknown)


def ask_bluesky(url: str) -> None:
    config = BlueskyConfig(
        endpoint="ws://127.0.0.1:1", service=url, identifier=HANDLE, password=PASSWORD
    )
    at = "at://did:plc:a/app.bsky.feed.post/1"
    outcome = BlueskyResponder(config).send(
        an_answer(at, uri=at, cid="c", root_uri=at, root_cid="c")
    )
    assert isinstance(outcome, Refused | Unknown)


ASKERS = [
    pytest.param(XServer, ask_x, "", id="x"),
    pytest.param(RedditServer, ask_reddit, "access_token", id="reddit signing in"),
    pytest.param(RedditServer, ask_reddit, "comment", id="reddit"),
    pytest.param(BlueskyServer, ask_bluesky, "createSession", id="bluesky signing in"),
    pytest.param(BlueskyServer, ask_bluesky, "putRecord", id="bluesky"),
]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("kind", "ask", "path"), ASKERS)
def test_a_redirect_leads_no_client_and_no_secret_anywhere(
    kind: Callable[[], Any], ask: Callable[[str], None], path: str, status: int, trap: Trap
) -> None:
    with kind() as server:
        away = Reply(status, {}, {"Location": f"{trap.url}/inner"})
        server.mishap(*[Mishap(path=path, reply=away)] * 4)
        ask(server.url)
        assert server.requests
    assert not trap.requests, "a redirect was followed"


@pytest.mark.parametrize(
    "place", ["http://169.254.169.254/latest", "file:///etc/passwd", "//[::1]"]
)
def test_a_redirect_inwards_is_an_error_to_be_shown(place: str) -> None:
    with XServer() as server:
        server.mishap(*[Mishap(reply=Reply(302, {}, {"Location": place}))] * 2)
        ask_x(server.url)


def test_the_stream_takes_no_redirect_to_another_host(trap: Trap) -> None:
    with Loopbackwards(trap.url.replace("http", "ws")) as server:
        config = BlueskyConfig(endpoint=server.url.replace("http", "ws"))
        source = BlueskySource(config)
        first = source.poll("posts", None)
        with pytest.raises(PlatformError):
            source.poll("posts", first.cursor)
    assert not trap.requests


class Loopbackwards(Loopback):
    """Sends everybody elsewhere."""

    def __init__(self, elsewhere: str) -> None:
        self._elsewhere = elsewhere
        super().__init__()

    def handle(self, request: Request) -> Reply:
        return Reply(302, {}, {"Location": f"{self._elsewhere}/inner"})


# ---------------------------------------------------------------- size and time


class Bomb(Loopback):
    """Answers with more than anybody may read, packed small."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        block = b"0" * (1 << 20)
        blocks = transport.BODY_LIMIT // len(block) + 8
        packer = zlib.compressobj(1, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
        self.body = b"".join(packer.compress(block) for _ in range(blocks)) + packer.flush()
        super().__init__()

    def handle(self, request: Request) -> Reply:
        return Reply(200, self.body, {"Content-Encoding": self.encoding})


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_an_answer_that_unpacks_to_more_than_the_limit_is_refused(encoding: str) -> None:
    with Bomb(encoding) as server, PlatformSession(30) as session:
        assert len(server.body) < transport.BODY_LIMIT // 50
        with pytest.raises(OversizedAnswer, match="longer than"):
            session.get(server.url)


@pytest.mark.parametrize("ask", [ask_x, ask_reddit, ask_bluesky])
def test_a_bomb_is_to_every_client_an_answer_that_can_t_be_read(
    ask: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "BODY_LIMIT", 1 << 20)
    with Bomb("gzip") as server:
        ask(server.url)


def test_an_ordinary_packed_answer_is_read() -> None:
    class Packed(Loopback):
        def handle(self, request: Request) -> Reply:
            return Reply(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"})

    with Packed() as server, PlatformSession(30) as session:
        assert session.get(server.url).json() == {"a": 1}


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends one byte of its long answer at a time, for ever; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        while not over.is_set():
            with suppress(OSError):
                line, _ = listener.accept()
                line.recv(65_536)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not over.wait(0.05):
                    line.sendall(b" ")
                line.close()

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.close()
        thread.join(5)


def test_an_answer_that_comes_byte_by_byte_is_given_up() -> None:
    with (
        dripping() as url,
        PlatformSession(0.5) as session,
        pytest.raises(OversizedAnswer, match="too slowly"),
    ):
        session.get(url)


def test_a_frame_of_many_megabytes_ends_the_stream_as_an_error() -> None:
    def flood(line: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            line.send("x" * (8 << 20))
            line.recv()

    with serve(flood, "127.0.0.1", 0, compression="deflate") as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        port = server.socket.getsockname()[1]
        source = BlueskySource(
            BlueskyConfig(endpoint=f"ws://127.0.0.1:{port}", protocol="v1"), wait_s=10
        )
        first = source.poll("posts", None)
        with pytest.raises(PlatformError, match="closed the connection"):
            source.poll("posts", first.cursor)
        source.close()
        server.shutdown()
        thread.join(5)


# ---------------------------------------------------------------- links in posts


def test_a_link_in_a_post_is_never_fetched(trap: Trap) -> None:
    link = f"{trap.url}/inner?a=1"
    with XServer() as x, RedditServer() as reddit, BlueskyServer() as bluesky:
        x.add_user("7", "ana", link)
        x.post(f"@{X_HANDLE} look at {link}", author="7")
        reddit.comment(reddit.submit(link, link), f"acme [look]({link})")
        bluesky.post(f"acme {link}")
        settings = {**ACCOUNT, "endpoint": reddit.url, "subreddits": ["acme"]}
        stream = BlueskySource(BlueskyConfig(endpoint=bluesky.stream_url), wait_s=5)
        batches = [
            XSource(
                XConfig(account=X_HANDLE, account_id=US, bearer_token=BEARER, endpoint=x.url)
            ).poll("mentions", KNOWN),
            RedditSource(msgspec.convert(settings, RedditConfig)).poll("comments", KNOWN),
            stream.poll("posts", stream.poll("posts", None).cursor),
        ]
        stream.close()
    assert all(link in batch.posts[0].text for batch in batches)
    assert not trap.requests


def test_requests_by_itself_would_have_followed(trap: Trap) -> None:
    with Loopbackwards(trap.url) as server:
        requests.post(server.url, timeout=5)
    assert trap.requests, "the tests above prove nothing if the trap can't be reached"
