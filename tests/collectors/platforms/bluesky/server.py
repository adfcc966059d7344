"""Bluesky on loopback: a Jetstream (both versions) and one account's server (PDS).

What is posted through the PDS appears in the stream, as on the network. The stream replays
from its cursor inclusively, refuses one below its floor, takes a cursor of 10^15 and above for
a time, and refuses parameters that it doesn't know, as Jetstream does. Its frames are those of
the published lexicon: `tests/collectors/platforms/bluesky/test_server.py` holds them to it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response
from websockets.protocol import State
from websockets.sync.server import ServerConnection, serve

from tests.collectors.platforms.bluesky.jetstream import (
    A_TIME,
    KINDS,
    LEXICON,
    RELAYED,
    REV,
    Entry,
    frame_of,
    iso,
    passes,
    refusal,
    respond,
    us,
)
from tests.collectors.platforms.bluesky.lexicon import too_long
from tests.collectors.platforms.loopback import Loopback, Posted, Reply, Request

SIGN_INS, ALLOWED = 30, 3_000
"""How often in five minutes somebody may sign in, and ask. It is told, and not enforced."""

DID, HANDLE, PASSWORD = "did:plc:acme", "acme.test", "app-password"
_POSTS = "app.bsky.feed.post"


class BlueskyServer(Loopback):
    """A small Bluesky. `url` is the PDS, `stream_url` the Jetstream; `floor` its oldest seq.

    `hangs_up` makes the stream close behind what waits. `heeds_size` is False for an instance
    that sends frames of any length. Each of `upsets` is the answer to one handshake; one of 200
    lets it in, to get its body as a frame and be closed.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.floor = 0
        self.hangs_up = False
        self.heeds_size = True
        self.upsets: deque[Reply] = deque()
        self._frames: dict[ServerConnection, bytes] = {}
        self.entries: list[Entry] = []
        self.records: dict[str, dict[str, Any]] = {}
        self.handles: dict[str, str] = {DID: HANDLE}
        self.sign_ins = 0
        self.connects: list[str] = []
        self.tokens = {"access-1"}
        self._keys = itertools.count(1)
        self._open: set[ServerConnection] = set()
        self.spent: Counter[str] = Counter()
        super().__init__()
        self._sockets = serve(
            self._stream,
            "127.0.0.1",
            0,
            process_request=self._admit,
            close_timeout=0.1,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
        )
        self.stream_url = f"ws://127.0.0.1:{self._sockets.socket.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._sockets.serve_forever, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        self._closing.set()
        self._sockets.shutdown()
        self._accepting.join()
        super().close()

    # ------------------------------------------------------------ the world

    def post(
        self,
        text: str,
        did: str = "did:plc:ana",
        *,
        reply_to: str = "",
        at: datetime | None = None,
        padding: int = 0,
    ) -> str:
        """Put a post into the world and the stream, and give its address (at://…).

        `padding` is how many bytes a field of the record holds that no lexicon knows.
        """
        with self.lock:
            rkey = f"3k{next(self._keys):011d}"
            record: dict[str, Any] = {"$type": _POSTS, "text": text}
            record["createdAt"] = iso(at or self.now())
            record["langs"] = ["en"]
            if padding:
                record["padding"] = "x" * padding
            if reply_to:
                record["reply"] = self.reference(reply_to)
            return self._put(did, rkey, record)

    def reference(self, uri: str) -> dict[str, Any]:
        """What a reply to `uri` must hold."""
        parent = {"uri": uri, "cid": self.records[uri]["cid"]}
        above = self.records[uri]["value"].get("reply")
        return {"root": above["root"] if above else parent, "parent": parent}

    def edit(self, uri: str, text: str) -> None:
        with self.lock:
            did, rkey = _split(uri)
            self._put(did, rkey, {**self.records[uri]["value"], "text": text}, "update")

    def delete(self, uri: str) -> None:
        with self.lock:
            self.records.pop(uri)
            did, rkey = _split(uri)
            self._emit("commit", did, {"operation": "delete", "collection": _POSTS, "rkey": rkey})

    def leave(self, did: str, status: str = "deleted") -> None:
        """An account goes, and all its posts with it; the stream only names the account."""
        with self.lock:
            for uri in [uri for uri in self.records if _split(uri)[0] == did]:
                self.records.pop(uri)
            self._emit("account", did, self._relayed(did, active=False, status=status))

    def rename(self, did: str, handle: str) -> None:
        """An account takes another handle."""
        with self.lock:
            self.handles[did] = handle
            self._emit("identity", did, self._relayed(did, handle=handle))

    def _relayed(self, did: str, **told: object) -> dict[str, Any]:
        """An event of the relay, with the relay's own number and time."""
        relay = {"seq": 90_000_000 + next(self._keys), "time": iso(self.now() - RELAYED)}
        return {"did": did, **relay, **told}

    def garble(self, frame: bytes = b"\xff{nonsense") -> None:
        """Send something that is not an event."""
        with self.lock:
            self.entries.append(Entry(len(self.entries) + 1, us(self.now()), frame))

    def drop(self) -> None:
        """Close every open stream."""
        for socket in tuple(self._open):
            socket.close()

    def load(self, path: Path) -> int:
        """Take recorded version 1 events into the stream, moved in time to end now."""
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        shift = us(self.now()) - max(event["time_us"] for event in events)
        for event in events:
            body = event.get(event["kind"]) or {}
            self._emit(event["kind"], event["did"], body, event["time_us"] + shift)
            if body.get("collection") == _POSTS and "record" in body:
                uri = f"at://{event['did']}/{_POSTS}/{body['rkey']}"
                held = {"uri": uri, "cid": body["cid"], "value": body["record"]}
                self.records[uri] = held
        return len(events)

    def _put(self, did: str, rkey: str, record: dict[str, Any], operation: str = "create") -> str:
        uri = f"at://{did}/{_POSTS}/{rkey}"
        digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        held = {"uri": uri, "cid": f"bafy{digest[:40]}", "value": record}
        if self.records.get(uri) == held:
            return uri  # the same record again changes nothing, and is not an event
        self.records[uri] = held
        body = {"operation": operation, "collection": _POSTS, "rkey": rkey}
        self._emit("commit", did, {**body, "cid": held["cid"], "record": record})
        return uri

    def _emit(self, kind: str, did: str, body: Mapping[str, Any], time_us: int = 0) -> None:
        time_us = time_us or us(self.now())
        seq = len(self.entries) + 1
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_us)
        told = {"rev": REV, **body} if kind == "commit" else {kind: dict(body)}
        payload = {**told, "$type": f"{LEXICON}#{kind}", "did": did, "seq": seq}
        payload["time"] = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
        self.entries.append(Entry(seq, time_us, payload))

    # ------------------------------------------------------------ the stream

    def _admit(self, socket: ServerConnection, handshake: Handshake) -> Response | None:
        self.connects.append(handshake.path)
        if self.upsets:
            upset = self.upsets.popleft()
            if upset.status != 200:
                return respond(socket, upset)
            self._frames[socket] = upset.encoded()
            return None
        refused = refusal(handshake.path, self.floor)
        return respond(socket, refused) if refused else None

    def _stream(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        parts = urlsplit(socket.request.path)
        v1 = parts.path == "/subscribe"
        query = parse_qs(parts.query)
        wanted = {*query.get("collections", ()), *query.get("wantedCollections", ())}
        kinds = {*query.get("kinds", KINDS)}
        longest = int(query.get("maxMessageSizeBytes", ["0"])[0]) if self.heeds_size else 0
        cursor = int(query.get("cursor", ["0"])[0])
        index = 0 if cursor else len(self.entries)
        self._open.add(socket)
        with suppress(ConnectionClosed):
            if (upset := self._frames.pop(socket, None)) is not None:
                socket.send(upset)
                return
            while not self._closing.is_set() and socket.state is State.OPEN:
                with self.lock:
                    waiting = self.entries[index:]
                for entry in waiting:
                    place = entry.time_us if v1 or cursor >= A_TIME else entry.seq
                    if place < cursor or entry.seq < self.floor:
                        continue
                    frame = frame_of(entry, v1=v1)
                    fits = not longest or len(frame) <= longest
                    if fits and passes(entry, wanted, kinds):
                        socket.send(frame)
                index += len(waiting)
                if self.hangs_up and waiting:
                    return
                self._closing.wait(0.01)
        self._open.discard(socket)

    # ------------------------------------------------------------ the PDS

    def handle(self, request: Request) -> Reply:
        reply = self._answer(request)
        allowed = SIGN_INS if request.path.endswith("createSession") else ALLOWED
        self.spent[request.path] += 1
        until = int((datetime.now(UTC) + timedelta(minutes=5)).timestamp())
        told = {
            "RateLimit-Limit": str(allowed),
            "RateLimit-Remaining": str(allowed - self.spent[request.path]),
            "RateLimit-Reset": str(until),
            "RateLimit-Policy": f"{allowed};w=300",
        }
        return replace(reply, headers={**told, **reply.headers})

    def _answer(self, request: Request) -> Reply:
        nsid = request.path.removeprefix("/xrpc/")
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if nsid == "com.atproto.server.createSession":
            return self._sign_in(request)
        if nsid == "com.atproto.server.refreshSession":
            return self._session() if token == "refresh" else _failed(401, "InvalidToken")
        if token not in self.tokens:
            return _failed(400, "ExpiredToken")
        if nsid == "com.atproto.repo.putRecord":
            return self._put_record(request)
        return self._query(nsid, request.query)

    def _query(self, nsid: str, query: Mapping[str, str]) -> Reply:
        if nsid == "com.atproto.repo.getRecord":
            uri = f"at://{query['repo']}/{query['collection']}/{query['rkey']}"
            held = self.records.get(uri)
            return Reply(200, held) if held else _failed(400, "RecordNotFound")
        if nsid == "app.bsky.feed.getPostThread":
            found = query["uri"] in self.records
            view = {"thread": self._view(query["uri"])} if found else None
            return Reply(200, view) if found else _failed(400, "NotFound")
        return _failed(501, "MethodNotImplemented")

    def expire(self) -> None:
        """Make every access token that was given out expire."""
        self.tokens.clear()

    def _sign_in(self, request: Request) -> Reply:
        self.sign_ins += 1
        if request.json != {"identifier": HANDLE, "password": PASSWORD}:
            return _failed(401, "AuthenticationRequired")
        return self._session()

    def _session(self) -> Reply:
        token = f"access-{next(self._keys)}"
        self.tokens.add(token)
        session = {"did": DID, "handle": HANDLE, "accessJwt": token, "refreshJwt": "refresh"}
        return Reply(200, session)

    def _put_record(self, request: Request) -> Reply:
        asked = request.json
        if asked["repo"] != DID:
            return _failed(400, "InvalidRequest")
        record = asked["record"]
        if wrong := too_long(record["text"]):
            return _failed(400, "InvalidRequest", wrong)
        fresh = f"at://{DID}/{_POSTS}/{asked['rkey']}" not in self.records
        uri = self._put(DID, asked["rkey"], record)
        if fresh:
            reply = record["reply"]
            self.posted.append(
                Posted(
                    id=uri,
                    text=record["text"],
                    parent=reply["parent"]["uri"],
                    thread=reply["root"]["uri"],
                )
            )
        return Reply(200, {"uri": uri, "cid": self.records[uri]["cid"]})

    def _view(self, uri: str) -> dict[str, Any]:
        held = self.records[uri]
        did = _split(uri)[0]
        below = [
            other
            for other, record in self.records.items()
            if record["value"].get("reply", {}).get("parent", {}).get("uri") == uri
        ]
        return {
            "$type": "app.bsky.feed.defs#threadViewPost",
            "post": {
                "uri": uri,
                "cid": held["cid"],
                "author": {"did": did, "handle": self.handles.get(did, "handle.invalid")},
                "record": held["value"],
                "indexedAt": held["value"]["createdAt"],
            },
            "replies": [self._view(other) for other in below],
        }


def _failed(status: int, name: str, message: str = "") -> Reply:
    return Reply(status, {"error": name, "message": message or name})


def _split(uri: str) -> tuple[str, str]:
    did, _, rkey = uri.removeprefix("at://").split("/")
    return did, rkey
