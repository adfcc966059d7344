"""A recorded file: whatever stands in it, nothing is lost and nothing stops it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.contract.source import Batch, Cursor, PlatformError, Post
from collectors.platforms.recorded.config import RecordedConfig
from collectors.platforms.recorded.source import RecordedSource
from tests.builders import NOON, an_author


def a_line(native_id: str, **changes: Any) -> bytes:
    values = {"thread": native_id, "text": "It fails", "url": "", "published_at": NOON}
    post = Post(native_id=native_id, author=an_author(), **{**values, **changes})
    return msgspec.json.encode(post) + b"\n"


def drain(source: RecordedSource, cursor: Cursor | None = None) -> tuple[list[Post], list[Batch]]:
    named = cursor or source.poll("file", None).cursor  # the very first poll gives no posts
    batches = [source.poll("file", named)]
    while batches[-1].more:
        batches.append(source.poll("file", batches[-1].cursor))
    return [post for batch in batches for post in batch.posts], batches


def reader(path: Path, **changes: Any) -> RecordedSource:
    return RecordedSource(RecordedConfig(path=str(path)), **changes)


def test_a_growing_file_is_read_on_behind_the_cursor(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"".join(a_line(str(n)) for n in range(1_200)))
    source = reader(path)
    posts, batches = drain(source)
    assert [post.native_id for post in posts] == [str(n) for n in range(1_200)]
    with path.open("ab") as file:
        file.write(a_line("new"))
    posts, _ = drain(source, batches[-1].cursor)
    assert [post.native_id for post in posts] == ["new"]


def test_a_malformed_line_is_kept_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    naive = b'{"native_id":"2","published_at":"2026-03-02T12:00:00"}\n'
    huge = b"x" * 1_000_001 + b"\n"
    path.write_bytes(a_line("1") + b"{oops\n\n" + naive + b"\xff\xfe\n" + huge + a_line("3"))
    [batch] = drain(reader(path))[1]
    assert [post.native_id for post in batch.posts] == ["1", "3"]
    assert [rejected.raw[:5] for rejected in batch.rejected] == [
        b"{oops",
        naive[:5],
        b"\xff\xfe\n",
        b"xxxxx",
    ]
    assert all("not a recorded post" in rejected.reason for rejected in batch.rejected)


def test_a_byte_order_mark_before_the_first_post_is_no_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + a_line("1") + a_line("2"))
    posts, batches = drain(reader(path))
    assert [post.native_id for post in posts] == ["1", "2"]
    assert not any(batch.rejected for batch in batches)


def test_a_line_that_is_still_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    line = a_line("1")
    path.write_bytes(line[:40])
    source = reader(path)
    first = source.poll("file", None)
    assert (first.posts, first.rejected) == ([], [])
    path.write_bytes(line)
    assert [post.native_id for post in source.poll("file", first.cursor).posts] == ["1"]


def test_a_replaced_file_is_read_from_its_start_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(a_line("old") + a_line("older"))
    source = reader(path)
    _, batches = drain(source)
    path.write_bytes(a_line("new"))
    posts, [batch] = drain(source, batches[-1].cursor)
    assert [post.native_id for post in posts] == ["new"]
    assert batch.gap is not None
    assert "replaced or cut" in batch.gap.reason


def test_a_file_cut_to_its_first_line_is_read_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(a_line("1") + a_line("2"))
    source = reader(path)
    _, batches = drain(source)
    path.write_bytes(a_line("1"))
    posts, after = drain(source, batches[-1].cursor)
    assert [post.native_id for post in posts] == ["1"]
    with path.open("ab") as file:
        file.write(a_line("2"))
    posts, [batch] = drain(source, after[-1].cursor)
    assert [post.native_id for post in posts] == ["2"]
    assert batch.gap is None


def test_speed_is_posts_per_second(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(b"".join(a_line(str(n)) for n in range(100)))
    ticks = [0.0]
    source = RecordedSource(RecordedConfig(path=str(path), speed=10), ticks_s=lambda: ticks[0])
    batch = source.poll("file", None)
    assert batch.posts == []
    ticks[0] = 2.5
    batch = source.poll("file", batch.cursor)
    assert len(batch.posts) == 25
    assert source.poll("file", batch.cursor).posts == []


def test_outside_text_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(a_line("1", text="a\x00b" * 30_000, url="javascript:alert(1)"))
    [post], _ = drain(reader(path))
    assert len(post.text) == 40_000
    assert "\x00" not in post.text
    assert post.url == ""


def test_a_missing_file_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"no\.jsonl can't be read") as caught:
        reader(tmp_path / "no.jsonl").poll("file", None)
    assert caught.value.permanent


def test_old_posts_of_a_file_are_history_unless_its_days_reach_back_to_them(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_bytes(
        a_line("old", published_at=NOON - timedelta(days=250))
        + a_line("dated back", published_at=NOON - timedelta(days=250), received_at=NOON)
        + a_line("new")
    )
    named = reader(path, now=lambda: NOON).poll("file", None)
    assert (list(named.posts), named.more) == ([], True)
    later = reader(path, now=lambda: NOON + timedelta(days=30))  # a restart, and a month passed
    posts, _ = drain(later, named.cursor)
    assert [(post.native_id, post.history) for post in posts] == [
        ("old", True),
        ("dated back", False),
        ("new", False),
    ]
    config = RecordedConfig(path=str(path), first_days=36_500)
    posts, _ = drain(RecordedSource(config, now=lambda: NOON))
    assert not any(post.history for post in posts)
