"""Bluesky for the conformance kits: its loopback server, driven from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from collectors.contract.causes import Cause
from collectors.contract.source import Answer, Responder, Source
from collectors.contract.validation import utc_now
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import REPLY_LENGTH
from collectors.platforms.bluesky.responder import BlueskyResponder
from collectors.platforms.bluesky.source import BlueskySource
from tests.collectors.platforms.bluesky.server import HANDLE, PASSWORD, BlueskyServer
from tests.collectors.platforms.conformance_replies import BUSY_S
from tests.collectors.platforms.loopback import Mishap, Reply


def _ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


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


def _failed(status: int, name: str, message: str = "") -> Reply:
    return Reply(status, {"error": name, "message": message or name})


REFUSES = {
    Cause.TOO_LONG: _failed(
        400, "InvalidRequest", "Record/text must not be longer than 300 graphemes"
    ),
    Cause.SUSPENDED: _failed(400, "AccountTakedown", "Account has been taken down"),
    Cause.ACCOUNT_LOCKED: _failed(400, "AccountDeactivated", "Account is deactivated"),
    Cause.CREDENTIALS: _failed(401, "AuthMissing", "Authentication Required"),
    Cause.INVALID: _failed(400, "InvalidRequest", "Record must have the property text"),
    Cause.OTHER: _failed(400, "SomethingNew"),
    Cause.UNAVAILABLE: _failed(502, "UpstreamFailure"),
}
"""As a server answers by the lexicons and by XRPC: an error's name, and words beside it."""


class BlueskyReplies:
    """Posts of the network, and the records of our account."""

    length = REPLY_LENGTH
    sign = "é"
    refuses: Mapping[Cause, Reply] = REFUSES

    def __init__(self, folder: Path) -> None:
        self.server = BlueskyServer()
        self._made = 0

    def responder(self) -> Responder:
        settings = {
            "endpoint": self.server.stream_url,
            "service": self.server.url,
            "identifier": HANDLE,
            "password": PASSWORD,
        }
        return BlueskyResponder(msgspec.convert(settings, BlueskyConfig))

    def post(self, text: str = "Sorry, it works again.") -> Answer:
        self._made += 1
        uri = self.server.post(f"it fails {self._made}")
        reference = self.server.reference(uri)
        return Answer(
            key=f"k{self._made}",
            parent=uri,
            thread=uri,
            text=text,
            since=datetime.now(UTC),
            address={
                "uri": uri,
                "cid": reference["parent"]["cid"],
                "root_uri": uri,
                "root_cid": reference["root"]["cid"],
            },
        )

    def posted(self) -> Sequence[str]:
        return [one.text for one in self.server.posted]

    def settle(self) -> None:
        """The server shows a reply at once."""

    def lose_answer(self) -> None:
        self.server.mishap(Mishap("putRecord", lose=True))

    def lose_request(self) -> None:
        self.server.mishap(Mishap("putRecord", reset=True))

    def post_that_is_gone(self) -> Answer:
        answer = self.post()
        self.server.delete(answer.parent)
        return answer

    def post_that_is_locked(self) -> None:
        return None

    def refuse(self, cause: Cause) -> None:
        self.server.mishap(Mishap("putRecord", reply=self.refuses[cause]))

    def busy(self) -> float:
        reply = Reply(429, {"error": "RateLimitExceeded"}, {"retry-after": f"{BUSY_S:.0f}"})
        self.server.mishap(Mishap("putRecord", reply=reply))
        return BUSY_S

    def close(self) -> None:
        self.server.close()


SOURCE, REPLIES = BlueskyWorld, BlueskyReplies
