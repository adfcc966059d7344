"""X for the conformance kits: its loopback server, driven from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from collectors.contract.causes import Cause
from collectors.contract.source import Answer, Responder, Source
from collectors.contract.validation import utc_now
from collectors.platforms.x.config import XConfig
from collectors.platforms.x.posts import REPLY_LENGTH
from collectors.platforms.x.responder import XResponder
from collectors.platforms.x.source import XSource
from tests.collectors.platforms.conformance_replies import BUSY_S
from tests.collectors.platforms.loopback import Mishap, Reply
from tests.collectors.platforms.x.server import BEARER, HANDLE, KEYS, US, XServer


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


def _problem(status: int, detail: str, kind: str = "about:blank") -> Reply:
    return Reply(status, {"title": "Forbidden", "detail": detail, "type": kind, "status": status})


def _code(status: int, code: int, message: str) -> Reply:
    return Reply(status, {"errors": [{"code": code, "message": message}]})


_PROBLEMS = "https://api.twitter.com/2/problems/"
REFUSES = {
    Cause.TOO_LONG: _code(403, 186, "Tweet needs to be a bit shorter."),
    Cause.DUPLICATE: _problem(403, "You are not allowed to create a Tweet with duplicate content."),
    Cause.GONE: _problem(
        403, "You attempted to reply to a Tweet that is deleted or not visible to you."
    ),
    Cause.NOT_ALLOWED: _problem(
        403,
        "Reply to this conversation is not allowed because you have not been mentioned or "
        "otherwise engaged by the author of the post you are replying to.",
    ),
    Cause.ACCOUNT_LOCKED: _code(
        403,
        326,
        "To protect our users from spam and other malicious activity, this account is "
        "temporarily locked. Please log in to https://twitter.com to unlock your account.",
    ),
    Cause.SUSPENDED: _problem(
        403, "Your account is suspended and is not permitted to access this feature."
    ),
    Cause.AUTOMATED: _problem(
        403, "This request looks like it might be automated. Please try again later."
    ),
    Cause.DAILY_LIMIT: _code(403, 185, "User is over daily status update limit."),
    Cause.NO_CREDIT: _problem(
        429, "Usage cap exceeded: Monthly product cap", f"{_PROBLEMS}usage-capped"
    ),
    Cause.CREDENTIALS: _problem(401, "Unauthorized"),
    Cause.PERMISSION: _problem(
        403,
        "Your client app is not configured with the appropriate oauth1 app permissions",
        f"{_PROBLEMS}oauth1-permissions",
    ),
    Cause.OTHER: _problem(403, "You are not permitted to perform this action."),
    Cause.UNAVAILABLE: _problem(503, "Service Unavailable"),
}
"""As X answers, by its own documentation and by what its users report."""


class XReplies:
    """Posts that mention our account, and our replies to them."""

    length = REPLY_LENGTH
    sign = "お"
    refuses: Mapping[Cause, Reply] = REFUSES

    def __init__(self, folder: Path) -> None:
        self.server = XServer()
        self._made = 0

    def responder(self) -> Responder:
        settings = {"account": HANDLE, "account_id": US, "endpoint": self.server.url, **KEYS}
        return XResponder(msgspec.convert(settings, XConfig))

    def post(self, text: str = "Sorry, it works again.") -> Answer:
        self._made += 1
        parent = self.server.post(f"@acme it fails {self._made}")
        return Answer(
            key=f"k{self._made}",
            parent=parent,
            thread=parent,
            text=text,
            since=datetime.now(UTC),
            address={"tweet": parent},
        )

    def posted(self) -> Sequence[str]:
        return [one.text for one in self.server.posted]

    def settle(self) -> None:
        """The server shows a reply at once."""

    def lose_answer(self) -> None:
        self.server.mishap(Mishap("/2/tweets", lose=True))

    def lose_request(self) -> None:
        self.server.mishap(Mishap("/2/tweets", reset=True))

    def post_that_is_gone(self) -> Answer:
        answer = self.post()
        self.server.delete(answer.parent)
        return answer

    def post_that_is_locked(self) -> None:
        return None

    def refuse(self, cause: Cause) -> None:
        self.server.mishap(Mishap("/2/tweets", reply=self.refuses[cause]))

    def busy(self) -> float:
        reply = Reply(429, {}, {"retry-after": f"{BUSY_S:.0f}"})
        self.server.mishap(Mishap("/2/tweets", reply=reply))
        return BUSY_S

    def close(self) -> None:
        self.server.close()


SOURCE, REPLIES = XWorld, XReplies
