"""Jetstream's frames as the published lexicon has them, and what it may be asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.http11 import Response
from websockets.sync.server import ServerConnection

from tests.collectors.platforms.loopback import Reply

LEXICON = "network.bsky.jetstream.subscribeEvents"
A_TIME = 10**15
"""A cursor from here on is a time in microseconds."""
PARAMETERS = {
    "/subscribe": {"wantedCollections", "wantedDids", "cursor", "maxMessageSizeBytes"},
    f"/xrpc/{LEXICON}": {"collections", "dids", "kinds", "cursor", "maxMessageSizeBytes"},
}
KINDS = {"commit", "identity", "account", "sync"}
REV = "3l3qo2vutsw2b"
RELAYED = timedelta(seconds=2)
"""How long after the relay Jetstream sees an event."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the stream: `payload` is a version 2 payload, or raw bytes to be sent."""

    seq: int
    time_us: int
    payload: dict[str, Any] | bytes


def refusal(address: str, floor: int) -> Reply | None:
    """Why a handshake is refused, if it is: `floor` is the oldest number that is kept."""
    parts = urlsplit(address)
    query = parse_qs(parts.query)
    cursor = int(query.get("cursor", ["0"])[0])
    if parts.path not in PARAMETERS:
        return Reply(404, {"error": "NotFound"})
    if query.keys() - PARAMETERS[parts.path] or {*query.get("kinds", ())} - KINDS:
        return Reply(400, {"error": "InvalidRequest"})
    if parts.path != "/subscribe" and 0 < cursor < min(floor, A_TIME):
        message = f"cursor {cursor} is below the floor {floor}"
        return Reply(400, {"error": "CursorTooOld", "message": message})
    return None


def respond(socket: ServerConnection, reply: Reply) -> Response:
    """A handshake's refusal, with the headers of `reply`."""
    response = socket.respond(reply.status, reply.encoded().decode("latin-1"))
    for name, value in reply.headers.items():
        response.headers[name] = value
    return response


def passes(entry: Entry, wanted: set[str], kinds: set[str]) -> bool:
    """Whether the filters let an event through; collections are those of commits alone."""
    if not isinstance(entry.payload, dict):
        return True
    collection = entry.payload.get("collection")
    kind = entry.payload["$type"].rpartition("#")[2]
    return kind in kinds and (not collection or not wanted or collection in wanted)


def frame_of(entry: Entry, *, v1: bool) -> str | bytes:
    payload = entry.payload
    if isinstance(payload, bytes):
        return payload
    if not v1:
        return json.dumps({"$type": "message", "payload": payload})
    kind = payload["$type"].rpartition("#")[2]
    outer = {"did": payload["did"], "time_us": entry.time_us, "cursor": entry.seq, "kind": kind}
    inner = {k: v for k, v in payload.items() if k not in {"$type", "did", "seq", "time"}}
    return json.dumps({**outer, kind: inner if kind == "commit" else inner[kind]})


def us(moment: datetime) -> int:
    """Microseconds since 1970."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
