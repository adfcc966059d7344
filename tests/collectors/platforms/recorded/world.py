"""A recorded file for the conformance kit."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from collectors.contract.source import Post, Source
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.recorded.source import RecordedSource
from tests.builders import an_author


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


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


SOURCE, REPLIES = RecordedWorld, None
