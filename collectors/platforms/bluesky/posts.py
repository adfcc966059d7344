"""Jetstream's frames and the AppView's threads to posts. Pure.

Version 2 commits are flat (`{"$type": "message", "payload": {…, "seq": 7, "operation": …}}`),
its accounts and identities nest the relay's event, whose `seq` and `time` are the relay's own.
Version 1 nests them all and counts in microseconds. Both are read into `Event`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from collectors.contract.reading_back import readable
from collectors.contract.resume import Row
from collectors.contract.source import Post, Rejected, Seen
from collectors.contract.validation import (
    EARLIEST,
    MISREAD,
    RAW_LIMIT,
    clean_name,
    clean_text,
    clean_url,
    utc_time,
)
from earshot.domain import TOMBSTONE, Author, Op
from earshot.items.reply_length import Bound, ReplyLength, Unit

POSTS = "app.bsky.feed.post"
REPLY_LENGTH: ReplyLength = (
    Bound(unit=Unit.GRAPHEMES, limit=300),
    Bound(unit=Unit.BYTES, limit=3_000),
)
"""https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json: `text`."""
FRAME_LIMIT = 1 << 20
"""The longest frame that is read for what it says, in bytes: a post has at most 100,000."""
_SEQ_LIMIT = 10**15
"""From here on a number is a time in microseconds, and not a sequence number."""
_ERROR = re.compile(r"[A-Za-z0-9]{1,100}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GONE = {"deleted", "suspended", "takendown"}
_OPS = {"create": Op.CREATE, "update": Op.EDIT, "delete": Op.DELETE}
_LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")
_TID = "234567abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One frame: its position, the server's time, what it is, and what it says of a post.

    `position` is 0 where the frame has none: of a notice, and of an error, which ends the stream.
    """

    position: int
    at: datetime
    kind: str
    row: Row


class BadFrame(ValueError):
    """A frame that is not Jetstream's; what could be read of it is in `rejected`."""

    def __init__(self, raw: bytes, reason: str) -> None:
        super().__init__(reason)
        self.rejected = Rejected(raw=raw[:RAW_LIMIT], reason=f"not a Jetstream frame: {reason}")


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


class _Numbers(msgspec.Struct):
    seq: int = 0
    time: str = ""
    time_us: int = 0


class _Numbered(_Numbers):
    """What moves the cursor, of a frame that is too long to be read for more."""

    payload: _Numbers | None = None


def read_event(frame: str | bytes, newest: int | None = None) -> Event:
    """One frame of either version. Raises BadFrame where the frame has no place in the stream.

    No number above `newest` is believed. What has its place, but can't be read for what it says,
    is an event with a `Rejected`.
    """
    raw = frame.encode() if isinstance(frame, str) else frame
    try:
        if len(raw) > FRAME_LIMIT:
            return _oversized(raw, newest)
        told = msgspec.json.decode(raw)
        payload = _flat(told.get("payload", told))
        if newest is not None and payload["position"] > newest:
            raise ValueError(f"its number {payload['position']} is ahead of the clock")
        return Event(
            position=payload["position"],
            at=payload["at"],
            kind=payload["kind"],
            row=_row(payload, raw),
        )
    except (msgspec.DecodeError, *MISREAD) as error:
        raise BadFrame(raw, f"{type(error).__name__} {error}") from error


def _oversized(raw: bytes, newest: int | None) -> Event:
    told = msgspec.json.decode(raw, type=_Numbered)
    numbers = told.payload or told
    if told.time_us:
        position, at = _number(told.time_us), _EPOCH + timedelta(microseconds=told.time_us)
    else:
        position, at = _number(numbers.seq, _SEQ_LIMIT), utc_time(numbers.time)
    if newest is not None and position > newest:
        raise ValueError(f"its number {position} is ahead of the clock")
    row = Row(mark=str(position), found=None)
    return Event(position=position, at=at, kind="oversized", row=row)


def _number(told: Any, limit: int = 2**63) -> int:
    if type(told) is not int or not 0 < told < limit:
        raise ValueError(f"{told!r} is not the number of an event")
    return told


def _flat(told: Mapping[str, Any]) -> dict[str, Any]:
    if "time_us" in told:
        nested = told.get(told["kind"]) or {}
        position = _number(told["time_us"])
        at = _EPOCH + timedelta(microseconds=position)
        return {**nested, "did": told["did"], "kind": told["kind"], "at": at, "position": position}
    kind = told["$type"].rpartition("#")[2]
    if kind in {"info", "error"}:
        name = str(told.get("name" if kind == "info" else "error", ""))
        name = name if _ERROR.fullmatch(name) else ""
        return {"kind": f"{kind} {name}", "position": 0, "at": _EPOCH}
    nested = told if kind == "commit" else {**(told.get(kind) or {}), **told}
    position = _number(told["seq"], _SEQ_LIMIT)
    return {**nested, "kind": kind, "position": position, "at": utc_time(told["time"])}


def _row(payload: Mapping[str, Any], raw: bytes) -> Row:
    mark = str(payload["position"])
    found: Post | Rejected | None = None
    try:
        if payload["kind"] == "account" and payload.get("active") is False:
            found = _farewell(payload)
        elif payload["kind"] == "commit" and payload["collection"] == POSTS:
            found = parse(payload)
    except MISREAD as error:
        reason = f"not a post of Bluesky: {type(error).__name__} {error}"
        found = Rejected(raw=raw[:RAW_LIMIT], reason=reason)
    return Row(mark=mark, found=found)


def parse(commit: Mapping[str, Any]) -> Post:
    """A post made, changed or deleted. Raises KeyError and the like.

    A record's own time is its author's word: it is believed only where it is not later than
    the server's (the AppView does the same), nor absurd. The server's own time is the receipt,
    since that word may be years old. `address` holds what a reply must point at.
    """
    did, rkey, at = str(commit["did"]), str(commit["rkey"]), commit["at"]
    uri = f"at://{did}/{POSTS}/{rkey}"
    op = _OPS[commit["operation"]]
    author = Author(id=did, name=did, url=f"https://bsky.app/profile/{did}")
    url = f"https://bsky.app/profile/{did}/post/{rkey}"
    if op is Op.DELETE:
        return _deletion(uri, author, url, at)
    record = commit["record"]
    root = (record.get("reply") or {}).get("root") or {"uri": uri, "cid": commit["cid"]}
    langs = record.get("langs")
    lang = langs[0] if isinstance(langs, list) and langs else ""
    return Post(
        native_id=uri,
        thread=root["uri"],
        parent=((record.get("reply") or {}).get("parent") or {}).get("uri", ""),
        author=author,
        text=clean_text(record["text"]),
        url=clean_url(url),
        published_at=_published(record.get("createdAt", ""), at),
        op=op,
        revision=microseconds(at) if op is Op.EDIT else 0,
        lang=clean_name(str(lang)).partition("-")[0],
        address={
            "uri": uri,
            "cid": commit["cid"],
            "root_uri": root["uri"],
            "root_cid": root["cid"],
        },
        received_at=at,
        edited_at=at if op is Op.EDIT else None,
    )


def _published(told: str, at: datetime) -> datetime:
    try:
        made = min(utc_time(told), at)
    except (ValueError, TypeError, OverflowError):
        return at
    return made if made >= EARLIEST else at


def _deletion(native_id: str, author: Author, url: str, at: datetime) -> Post:
    return Post(
        native_id=native_id,
        thread="",
        author=author,
        text="",
        url=url,
        published_at=at,
        op=Op.DELETE,
        revision=TOMBSTONE,
    )


def _farewell(payload: Mapping[str, Any]) -> Post | None:
    """An account that is gone, as the deletion of a post whose id is the author's.

    The stream does not name the author's posts: whoever keeps them must look them up by
    `author.id`. A deactivated account may come back, and is left alone.
    """
    if payload.get("status") not in _GONE:
        return None
    did = str(payload["did"])
    url = f"https://bsky.app/profile/{did}"
    return _deletion(did, Author(id=did, name=did, url=url), url, payload["at"])


# ---------------------------------------------------------------- answering


def record_key(key: str) -> str:
    """The record key of the reply named `key`: shaped as a TID, the same in every attempt.

    A TID is 13 characters of base 32: 53 bits of microseconds, then 10 of a clock's id. The
    time here is a hash of `key`, within the three years after September 2020: never ahead.
    """
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest())
    number = ((1_600_000_000_000_000 + digest % 10**14) << 10) | (digest >> 54)
    digits = [(number >> shift) & 31 for shift in range(60, -1, -5)]
    return "".join(_TID[digit] for digit in digits)


def reply_record(text: str, address: Mapping[str, str], at: datetime) -> dict[str, Any]:
    """The record of a reply. Raises KeyError if `address` lacks a reference."""
    return {
        "$type": POSTS,
        "text": text,
        "createdAt": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "facets": list(_links(text)),
        "reply": {
            "root": {"uri": address["root_uri"], "cid": address["root_cid"]},
            "parent": {"uri": address["uri"], "cid": address["cid"]},
        },
    }


def _links(text: str) -> Iterator[dict[str, Any]]:
    """The links in `text` as facets: without them Bluesky shows dead text. Offsets in bytes."""
    for found in _LINK.finditer(text):
        start = len(text[: found.start()].encode())
        span = {"byteStart": start, "byteEnd": start + len(found[0].encode())}
        feature = {"$type": "app.bsky.richtext.facet#link", "uri": found[0]}
        yield {"index": span, "features": [feature]}


def seen_below(thread: Mapping[str, Any], did: str) -> Iterator[Seen]:
    """Every post below the root of a `getPostThread` answer that it shows."""
    return readable(
        _posts_below(thread),
        lambda post: seen(
            post["uri"], post["record"], post["author"]["did"], did, post.get("indexedAt", "")
        ),
        lambda post: isinstance(other := post["author"]["did"], str) and other != did,
    )


def _posts_below(thread: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    waiting = list(thread.get("replies") or ())
    while waiting:
        node = waiting.pop()
        if "post" in node:
            yield node["post"]
            waiting += node.get("replies") or ()


def seen(uri: str, record: Mapping[str, Any], author: str, did: str, indexed: str = "") -> Seen:
    """A post as read back."""
    return Seen(
        native_id=uri,
        parent=((record.get("reply") or {}).get("parent") or {}).get("uri", ""),
        text=clean_text(record["text"]),
        at=utc_time(indexed or record["createdAt"]),
        ours=author == did,
        author=author,
        url=f"https://bsky.app/profile/{author}/post/{uri.rpartition('/')[2]}",
    )
