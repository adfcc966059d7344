"""The worlds of the conformance kit: each platform's server, driven the same way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from collectors.contract.source import Post, Source
from collectors.contract.validation import utc_now
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.source import BlueskySource
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.recorded.source import RecordedSource
from collectors.platforms.reddit.config import RedditConfig
from collectors.platforms.reddit.source import RedditSource
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.source import XSource
from tests.builders import an_author
from tests.collectors.platforms.bluesky.server import BlueskyServer
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.reddit.server import ACCOUNT, RedditServer
from tests.collectors.platforms.x.server import BEARER, HANDLE, US, XServer


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


class XWorld:
    """X's mentions: an edit is a post with a new id."""

    bursts = (0, 1, 7, 99, 100, 101, 230)
    page = 100
    every_edit_is_seen = True

    def __init__(self, folder: Path) -> None:
        self.server = XServer()
        self._newest: dict[str, str] = {}
        self._made = 0

    def source(self, now: Callable[[], datetime] = utc_now) -> Source:
        config = XConfig(
            account=HANDLE, account_id=US, bearer_token=BEARER, endpoint=self.server.url
        )
        return XSource(config, now)

    def answer_next(self, reply: Reply) -> None:
        self.server.mishap(Mishap(reply=reply))

    def asked(self) -> int:
        return len(self.server.requests)

    def post(self) -> str:
        self._made += 1
        native_id = self.server.post(f"@acme number {self._made}")
        self._newest[native_id] = native_id
        return native_id

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        return self.server.post(f"@acme number {self._made}", at=_ago(days_ago))

    def edit(self, native_id: str) -> str:
        self._made += 1
        text = f"@acme edited {self._made}"
        self._newest[native_id] = self.server.edit(self._newest[native_id], text)
        return text

    def delete(self, native_id: str) -> bool:
        self.server.delete(self._newest[native_id])
        return True

    def outrun(self) -> None:
        for _ in range(900):
            self.post()

    def close(self) -> None:
        self.server.close()


class RedditWorld:
    """A subreddit's comments, in a listing that ends after 800."""

    bursts = (0, 1, 7, 99, 100, 101, 230)
    page = 100
    every_edit_is_seen = False

    def __init__(self, folder: Path) -> None:
        self.server = RedditServer(kept=800)
        self._root = self.server.submit("Acme")
        self._made = 0

    def source(self, now: Callable[[], datetime] = utc_now) -> Source:
        settings = {**ACCOUNT, "endpoint": self.server.url, "subreddits": ["acme"]}
        return RedditSource(msgspec.convert(settings, RedditConfig), now)

    def answer_next(self, reply: Reply) -> None:
        """A new source signs in first: half of the refusals are answers to that."""
        signing_in = reply.status >= 300 and reply.status % 2
        self.server.mishap(Mishap("access_token" if signing_in else "/comments/", reply=reply))

    def asked(self) -> int:
        return len(self.server.requests)

    def post(self) -> str:
        self._made += 1
        return self.server.comment(self._root, f"number {self._made}")

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        return self.server.comment(self._root, f"number {self._made}", at=_ago(days_ago))

    def edit(self, native_id: str) -> str:
        self._made += 1
        self.server.edit(native_id, f"edited {self._made}")
        return f"edited {self._made}"

    def delete(self, native_id: str) -> bool:
        self.server.delete(native_id)
        return True

    def outrun(self) -> None:
        for _ in range(900):
            self.post()

    def close(self) -> None:
        self.server.close()


class BlueskyWorld:
    """Jetstream, with connections that drop now and then."""

    bursts = (0, 1, 7, 120)
    page = 0
    every_edit_is_seen = True
    protocol = "v2"

    def __init__(self, folder: Path) -> None:
        self.server = BlueskyServer()
        self._made = 0

    def source(self, now: Callable[[], datetime] = utc_now) -> Source:
        config = msgspec.convert(
            {"endpoint": self.server.stream_url, "protocol": self.protocol}, BlueskyConfig
        )
        return BlueskySource(config, now, wait_s=0.15)

    def answer_next(self, reply: Reply) -> None:
        self.server.upsets.append(reply)

    def asked(self) -> int:
        return len(self.server.connects)

    def post(self) -> str:
        self._made += 1
        if self._made % 60 == 0:
            self.server.drop()
        return self.server.post(f"number {self._made}")

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        real, self.server.now = self.server.now, lambda: _ago(days_ago)
        native_id = self.server.post(f"number {self._made}")
        self.server.now = real
        return native_id

    def edit(self, native_id: str) -> str:
        self._made += 1
        self.server.edit(native_id, f"edited {self._made}")
        return f"edited {self._made}"

    def delete(self, native_id: str) -> bool:
        self.server.delete(native_id)
        return True

    def outrun(self) -> None:
        for _ in range(20):
            self.post()
        self.server.drop()
        self.server.floor = len(self.server.entries) - 5

    def close(self) -> None:
        self.server.close()


class RecordedWorld:
    """A file that grows, with a malformed line now and then."""

    bursts = (0, 1, 7, 499, 500, 501)
    page = 500
    every_edit_is_seen = False

    def __init__(self, folder: Path) -> None:
        self._path = folder / "posts.jsonl"
        self._path.write_bytes(b"")
        self._made = 0

    def source(self) -> Source:
        return RecordedSource(RecordedConfig(path=str(self._path)))

    def post(self) -> str:
        return self.post_of(0)

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        native_id = str(self._made)
        post = Post(
            native_id=native_id,
            thread=native_id,
            author=an_author(),
            text=f"number {native_id}",
            url="",
            published_at=_ago(days_ago),
        )
        with self._path.open("ab") as file:
            if self._made % 50 == 0:
                file.write(json.dumps({"nonsense": self._made}).encode() + b"\n")
            file.write(msgspec.json.encode(post) + b"\n")
        return native_id

    def edit(self, native_id: str) -> None:
        return None

    def delete(self, native_id: str) -> bool:
        return False

    def outrun(self) -> None:
        self._path.write_bytes(b"")
        self.post()

    def close(self) -> None:
        self._path.unlink()
