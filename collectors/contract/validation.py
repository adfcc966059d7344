"""What outside text, ids and links may be before they go on: bounded, and never trusted. Pure.

A platform's parser cleans what people wrote; `violation` is the wall behind every parser. What
passes it can be stored by both databases, indexed, counted with, and written into a header.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import msgspec

from collectors.contract.source import Batch, Post, Rejected
from earshot.domain import TEXT_LIMIT, TOMBSTONE

NAME_LIMIT = 200
URL_LIMIT = 2_000
RAW_LIMIT = 64_000
"""The longest raw record kept of what could not be parsed, in bytes."""
ID_LIMIT = 1_000
"""The longest id, in bytes: PostgreSQL indexes no more than 2,704 in a row."""
LANG_LIMIT = 35
"""The longest language tag (RFC 5646, 4.4.1)."""
REASON_LIMIT = 1_000
_ADDRESS_LIMIT = 20
REACH_LIMIT = 2**63 - 1
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""No platform has older posts; calendars and counters are not made for the year 1."""
_AHEAD = timedelta(days=1)
"""How far a platform's clock may be ahead of ours."""


MISREAD = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    AssertionError,
    RecursionError,
)
"""What a library or a parser raises on an answer that is JSON, but not the platform's."""

_BLANK = re.compile(r"[\x00-\x20]")

MISREAD = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,
    AssertionError,
    RecursionError,
)
"""What a library or a parser raises on an answer that is JSON, but not the platform's."""


def clean_text(raw: str, limit: int = TEXT_LIMIT) -> str:
    """`raw` without NUL and lone surrogates (no database stores them), at most `limit` long."""
    kept = raw[: limit * 2].replace("\x00", "")
    return kept.encode("utf-8", "ignore").decode()[:limit]


def clean_name(raw: str) -> str:
    """A person's name or handle on one line, at most `NAME_LIMIT` characters."""
    return clean_text(" ".join(raw[: NAME_LIMIT * 4].split()), NAME_LIMIT)


def clean_url(raw: str) -> str:
    """`raw` if it is an http(s) address of bounded length, else the empty string."""
    if len(raw) > URL_LIMIT or _BLANK.search(raw):
        return ""
    try:
        parts = urlsplit(raw)
    except ValueError:
        return ""
    return raw if parts.scheme in {"http", "https"} and parts.netloc else ""


def clean_id(raw: str) -> str:
    """`raw` if it can be an id: short and printable; else the empty string."""
    return raw if raw.isprintable() and len(raw.encode()) <= ID_LIMIT else ""


def clean_reason(raw: str) -> str:
    """Why something was refused, on one line: it may quote what was refused."""
    return clean_text(" ".join(raw[: REASON_LIMIT * 4].split()), REASON_LIMIT)


def kept_raw(raw: Any) -> bytes:
    """Parsed JSON as bytes to keep, at most `RAW_LIMIT`; nothing that was parsed is too strange.

    JSON may hold lone surrogates, numbers beyond any type, and nesting without end.
    """
    try:
        return msgspec.json.encode(raw)[:RAW_LIMIT]
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass
    try:
        return json.dumps(raw).encode()[:RAW_LIMIT]
    except (ValueError, TypeError, RecursionError):
        return b"(nested too deeply to be kept)"


def mark_of(native_id: object, kept: bytes) -> str:
    """What names a row: its id, or a digest of all that it holds where that can't be an id."""
    if isinstance(native_id, str) and native_id and clean_id(native_id):
        return native_id
    return f"?{hashlib.blake2b(kept, digest_size=12).hexdigest()}"


def violation(post: Post, now: datetime) -> str:
    """What is wrong with a parsed post; the empty string when it may go on."""
    return "" if is_plainly_valid(post, now) else find_violations(post, now)


def is_plainly_valid(post: Post, now: datetime) -> bool:
    """Whether a post is sound beyond doubt. Most are; looking closer takes five times as long."""
    author, text = post.author, post.text
    try:
        ids = "".join((post.native_id, post.thread, post.parent, author.id, *post.address.values()))
        words = author.name + author.handle + author.url + post.url + post.reply_bar
        text.encode()
        return (
            post.native_id != ""
            and len(ids) <= ID_LIMIT
            and len(words) <= NAME_LIMIT
            and len(post.lang) <= LANG_LIMIT
            and len(text) <= TEXT_LIMIT
            and ids.isascii()
            and (ids + words + post.lang).isprintable()
            and "\x00" not in text
            and len(post.address) <= _ADDRESS_LIMIT
            and type(author.reach) is type(post.revision) is int
            and 0 <= author.reach <= REACH_LIMIT
            and 0 <= post.revision <= TOMBSTONE
            and EARLIEST <= post.published_at <= now + _AHEAD
            and (post.received_at is None or EARLIEST <= post.received_at <= now + _AHEAD)
            and (post.edited_at is None or EARLIEST <= post.edited_at <= now + _AHEAD)
        )
    except (TypeError, AttributeError, UnicodeEncodeError):  # no text, or a strange one
        return False


def find_violations(post: Post, now: datetime) -> str:
    """What is wrong with a post, found by looking at each of its fields."""
    author = post.author
    ids = {
        "native_id": post.native_id,
        "thread": post.thread,
        "parent": post.parent,
        "author.id": author.id,
        **{f"address.{name}": value for name, value in post.address.items()},
    }
    words = {
        "author.name": (author.name, NAME_LIMIT),
        "author.handle": (author.handle, NAME_LIMIT),
        "author.url": (author.url, URL_LIMIT),
        "url": (post.url, URL_LIMIT),
        "text": (post.text[:TEXT_LIMIT], TEXT_LIMIT),  # a longer one is cut, not refused
        "lang": (post.lang, LANG_LIMIT),
        "reply_bar": (post.reply_bar, REASON_LIMIT),
    }
    numbers = {"author.reach": (author.reach, REACH_LIMIT), "revision": (post.revision, TOMBSTONE)}
    found = [name for name, value in ids.items() if not _is_id(value)]
    found += [name for name, (value, limit) in words.items() if not _is_text(value, limit)]
    found += [name for name, (value, limit) in numbers.items() if not _is_count(value, limit)]
    if not post.native_id:
        found.append("native_id")
    if len(post.address) > _ADDRESS_LIMIT:
        found.append("address")
    times = {
        "published_at": post.published_at,
        "received_at": post.received_at,
        "edited_at": post.edited_at,
    }
    found += [name for name, time in times.items() if time and not EARLIEST <= time <= now + _AHEAD]
    return f"out of bounds: {', '.join(found)}" if found else ""


def _is_id(value: object) -> bool:
    return isinstance(value, str) and (not value or bool(clean_id(value)))


def _is_text(value: object, limit: int) -> bool:
    return isinstance(value, str) and value == clean_text(value, limit)


def _is_count(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value <= limit


def reject_invalid(batch: Batch, now: datetime) -> Batch:
    """`batch` with every flawed post among its rejected ones, under an id only if it has one."""
    violations = [violation(post, now) for post in batch.posts]
    if not any(violations):
        return batch
    bad = [
        Rejected(
            raw=repr(post).encode("utf-8", "backslashreplace")[:RAW_LIMIT],
            reason=reason,
            native_id=post.native_id if _is_id(post.native_id) else "",
        )
        for post, reason in zip(batch.posts, violations, strict=True)
        if reason
    ]
    good = [post for post, reason in zip(batch.posts, violations, strict=True) if not reason]
    return replace(batch, posts=good, rejected=[*batch.rejected, *bad])


def utc_time(raw: str) -> datetime:
    """An ISO 8601 time in UTC; one without a zone is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(raw)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def utc_now() -> datetime:
    """The wall clock: the default of every clock that a source or responder takes."""
    return datetime.now(UTC)
