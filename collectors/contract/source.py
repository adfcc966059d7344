"""What a platform gives us: the contract of a source and of a responder.

A source never stores state. `poll` gets the cursor that was saved last and returns posts
together with the next cursor; the shell (`collectors.collect`) saves that cursor only after
the posts are durable in the log. A crash anywhere is a replay from the last saved cursor,
and natural keys make the replay harmless. `collectors.contract.resume` has the three
strategies that cover every platform, so that a new source writes one short method.

A responder answers on the platform and reads back what is there. It never retries by
itself: an attempt without a clear answer is `Unknown`, and the shell reads the thread back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from collectors.contract.waits import bounded_wait_s
from earshot.domain import Author, Op, aware

Cursor = Mapping[str, Any]
"""Where a source is: small, JSON, complete, and editable by an operator."""


class PlatformError(Exception):
    """A platform could not be read or written.

    `permanent` says that trying again won't help until somebody changes something (a wrong
    token, a deleted account); `retry_after_s` is the platform's own word when it gave one,
    within the bounds of `collectors.contract.waits`. The message says what, where and what to do,
    and holds no secret and no person's words.
    """

    def __init__(
        self, message: str, *, permanent: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_s = bounded_wait_s(retry_after_s)


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's post, parsed and not yet matched. Fields as in `earshot.domain.Mention`.

    `addressed` is True where the platform itself says that the post speaks to our account.
    A source sets `received_at` where `published_at` is only the author's word, and `edited_at`
    for an edit; `history` is for `collectors.contract.resume` to set.

    A deletion has `op=Op.DELETE`, `revision=TOMBSTONE`, no text, and may not know its thread
    (empty): the shell fills it in from what was collected before.
    """

    native_id: str
    thread: str
    author: Author
    text: str
    url: str
    published_at: datetime
    op: Op = Op.CREATE
    revision: int = 0
    parent: str = ""
    lang: str = ""
    can_reply: bool = True
    reply_bar: str = ""
    addressed: bool = False
    address: Mapping[str, str] = msgspec.field(default_factory=dict)
    received_at: datetime | None = None
    edited_at: datetime | None = None
    history: bool = False

    def __post_init__(self) -> None:
        aware(self.published_at, "published_at")
        if self.received_at is not None:
            aware(self.received_at, "received_at")
        if self.edited_at is not None:
            aware(self.edited_at, "edited_at")

    @property
    def newest_at(self) -> datetime:
        """When the platform last took something of it in, as far as is known. UTC."""
        times = (self.published_at, self.received_at, self.edited_at)
        return max(time for time in times if time is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Raw bytes that could not be parsed into a post: kept, shown, and never dropped."""

    raw: bytes
    reason: str
    native_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch of time in which posts may have been missed, and why we can't exclude it."""

    reason: str
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One poll's result: posts in order, the cursor behind them, and whether more waits."""

    posts: Sequence[Post]
    cursor: Cursor
    more: bool = False
    gap: Gap | None = None
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a credential may do: `requests` in each `per_s` seconds, shared under `name`."""

    name: str
    requests: int
    per_s: float


class Source(Protocol):
    """A configured way in. Every method may raise PlatformError."""

    platform: str
    account: str
    """Our own author id or handle there; empty where the source does not know it."""
    everything: bool
    """True where the platform's own query already says that each post is a mention."""
    limits: Sequence[Limit]
    poll_every_s: float
    """How long to rest when nothing more waits."""
    keeps_history: bool
    """True where a post that is not read today can still be read tomorrow: such a source is the
    first to pause when there is no room for what it gives."""

    def parts(self) -> Sequence[str]:
        """The independent streams of this source, each with its own cursor."""

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        """What came after `cursor`.

        None is the very first poll. Where a platform keeps a history, that poll gives no posts:
        it names in its cursor where the first stretch begins, and the next one reads.
        """

    def close(self) -> None: ...


# ---------------------------------------------------------------- answering


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply to be sent: `text`, in answer to `parent` in `thread` (native ids).

    `key` is the same for every attempt: a platform with idempotency of its own uses it.
    `since` is when the first attempt may have begun (UTC), for reading back.
    """

    key: str
    parent: str
    thread: str
    text: str
    since: datetime
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The platform took it, and calls it `native_id`."""

    native_id: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The platform documented that nothing was posted. Not permanent: try again later.

    `retry_after_s` is kept within the bounds of `collectors.contract.waits`.
    """

    reason: str
    permanent: bool
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "retry_after_s", bounded_wait_s(self.retry_after_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No clear answer (time-out, reset, 5xx, 'duplicate'): it may be there or not."""

    reason: str


Outcome = Sent | Refused | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A post of the thread that is on the platform now. `ours`: by the brand's account."""

    native_id: str
    parent: str
    text: str
    at: datetime
    ours: bool
    author: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """The thread as it is: what became of the post, and what the platform shows below it."""

    gone: bool
    text: str = ""
    posts: Sequence[Seen] = ()


class Responder(Protocol):
    """A configured way out."""

    platform: str
    settle_s: float
    """How long a new post may stay invisible to `read`: absence before that proves nothing."""

    def send(self, answer: Answer) -> Outcome:
        """One attempt. Every failure is an outcome: this does not raise for the network."""

    def read(self, answer: Answer) -> Thread:
        """What is below `answer.parent` now. Raises PlatformError if it can't be read."""

    def close(self) -> None: ...
