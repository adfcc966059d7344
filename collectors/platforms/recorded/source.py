"""A recorded file as a source: for demonstrations, tests and taking old data in.

The file holds one post per line, as JSON with the fields of `collectors.contract.source.Post`
(`author` with those of `earshot.domain.Author`, times in ISO 8601 with a zone):

    {"native_id": "1", "thread": "1", "author": {"id": "u1", "name": "Ana"},
     "text": "It fails", "url": "", "published_at": "2026-03-02T12:00:00Z"}

It may grow while it is read. Nothing can be answered there. Its posts are work only as far as
`first_days` before the first read: old data taken in are history, for which nothing is promised.
"""

from __future__ import annotations

import hashlib
import time
from codecs import BOM_UTF8
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec.structs import replace

from collectors.contract.config import first_stretch
from collectors.contract.resume import Place, Row, Stretch, ascend
from collectors.contract.source import Batch, Cursor, Gap, Limit, PlatformError, Post, Rejected
from collectors.contract.validation import RAW_LIMIT, clean_name, clean_text, clean_url, utc_now
from collectors.platforms.recorded.config import RecordedConfig

_BATCH = 500
_LINE_LIMIT = 1_000_000
_IDENTITY = 4_096
"""How many bytes of the first line tell one file from another."""


class RecordedSource:
    """The posts of one file, in its order; the cursor is a byte offset."""

    platform = "recorded"
    limits: Sequence[Limit] = ()
    poll_every_s = 0.2
    keeps_history = True

    def __init__(
        self,
        config: RecordedConfig,
        now: Callable[[], datetime] = utc_now,
        ticks_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.everything = config.everything
        self.account = ""
        self._path = Path(config.path)
        self._speed = config.speed
        self._first_days = config.first_days
        self._now = now
        self._ticks_s = ticks_s
        self._begun_s = ticks_s()
        self._given = 0

    def parts(self) -> Sequence[str]:
        return ("file",)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        since = first_stretch(self._first_days, self._now())
        return ascend(cursor, self._fetch, where=f"recorded {self._path.name}", since=since)

    def close(self) -> None:
        """Nothing is held between polls."""

    def _due(self) -> int:
        if not self._speed:
            return _BATCH
        elapsed_s = self._ticks_s() - self._begun_s
        return max(0, min(_BATCH, int(elapsed_s * self._speed) - self._given))

    def _fetch(self, place: Place | None) -> Stretch:
        try:
            with self._path.open("rb") as file:
                return self._stretch(file, place)
        except OSError as error:
            raise PlatformError(
                f"the recorded file {self._path} can't be read ({error.strerror}): check "
                "`path` and its permissions",
                permanent=True,
            ) from error

    def _stretch(self, file: BinaryIO, place: Place | None) -> Stretch:
        identity = hashlib.blake2b(file.readline(_IDENTITY), digest_size=8).hexdigest()
        size = file.seek(0, 2)
        epoch, start, gap = f"{identity}.0", 0, None
        if place is None:
            here = Place(epoch=epoch, position=0, at=self._now())
            return Stretch(rows=(), place=here, more=True)
        before, _, cuts = place.epoch.partition(".")
        if before == identity and place.position <= size:
            epoch, start = place.epoch, place.position
        elif place.position:
            gap = Gap(reason=f"{self._path.name} was replaced or cut: reading from its start")
            # An epoch of its own, so that no row counts as already read.
            epoch = f"{identity}.{int(cuts) + 1}"
        file.seek(start)
        rows, end = _lines(file, start, self._due())
        self._given += len(rows)
        found = [row.found.published_at for _, row in rows if isinstance(row.found, Post)]
        at = found[-1] if found else place.at
        place = Place(epoch=epoch, position=end, at=at)
        return Stretch(rows=rows, place=place, more=len(rows) >= _BATCH, gap=gap)


def _lines(file: BinaryIO, start: int, limit: int) -> tuple[list[tuple[int, Row]], int]:
    """At most `limit` rows from `start` on, and the offset behind them.

    A last line without its end may still be being written: it counts once it can be read.
    """
    rows: list[tuple[int, Row]] = []
    end = start
    while len(rows) < limit and (line := file.readline(_LINE_LIMIT)):
        whole = line.endswith(b"\n")
        if not whole and len(line) == _LINE_LIMIT:
            whole = _skip(file)
        found = _parse(line if end else line.removeprefix(BOM_UTF8))
        if isinstance(found, Rejected) and not whole:
            break
        end = file.tell()
        if line.strip():
            rows.append((end, Row(mark=str(end), found=found)))
    return rows, end


def _skip(file: BinaryIO) -> bool:
    """Go behind the end of a line that is too long; True if it has one."""
    while piece := file.readline(_LINE_LIMIT):
        if piece.endswith(b"\n"):
            return True
    return False


def _parse(line: bytes) -> Post | Rejected:
    try:
        post = msgspec.json.decode(line, type=Post)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Rejected(raw=line[:RAW_LIMIT], reason=f"not a recorded post: {error}")
    author = replace(
        post.author,
        name=clean_name(post.author.name),
        handle=clean_name(post.author.handle),
        url=clean_url(post.author.url),
    )
    return replace(post, author=author, text=clean_text(post.text), url=clean_url(post.url))


def check_credentials(config: RecordedConfig) -> str:
    path = Path(config.path)
    try:
        with path.open("rb"):
            return f"{path} can be read"
    except OSError as error:
        raise PlatformError(
            f"{path}: {error.strerror}: correct sources.NAME.path", permanent=True
        ) from error
