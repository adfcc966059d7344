"""The vocabulary of the service. Values only: no I/O, no clock, no framework.

What each word means is in ARCHITECTURE.md. What travels in messages is made of msgspec
structs, which are read three times as fast as dataclasses. Every time here is aware and in UTC; a
naive one is refused when the value is made, so that it can't reach a deadline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Self

import msgspec

TOMBSTONE = 2**53 - 1
"""The revision of a deletion: above every edit, and still exact in JSON's numbers."""

OWN_KEY = "own"
"""Where release 0.1 has `Mention.own`: a key of the address. It is read for good, and written as
long as roles of that release may read what is collected, during an upgrade."""

TEXT_LIMIT = 40_000
"""The longest text kept of one mention, in characters (Reddit's own limit for a post)."""


class Vocabulary(StrEnum):
    """Words that are stored and shown; each has a plain sentence of what it means.

    The generated reference (docs/reference/vocabulary.md) is made of them.
    """

    meaning: str

    def __new__(cls, word: str, meaning: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member


class Op(StrEnum):
    """What a collected record says about a post."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"


class Sentiment(StrEnum):
    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Intent(StrEnum):
    """What the author wants of the brand."""

    QUESTION = "question"
    COMPLAINT = "complaint"
    REQUEST = "request"
    PRAISE = "praise"
    REMARK = "remark"


WANTING = frozenset({Intent.QUESTION, Intent.COMPLAINT, Intent.REQUEST})
"""The intents of an author who wants an answer."""


class Urgency(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class ItemState(Vocabulary):
    """Where an item is in its life. `earshot.items.lifecycle` says which may follow which."""

    NEW = "new", "In triage: nobody has decided yet whether it needs an answer."
    QUEUED = "queued", "In its team's queue: it needs an answer and nobody has it."
    ASSIGNED = "assigned", "A responder has it, or has been offered it."
    ANSWERING = "answering", "Its responder writes the answer."
    AWAITING_APPROVAL = "awaiting_approval", "The answer is written and waits for approval."
    SENDING = "sending", "The answer is on its way to the platform."
    ANSWERED = "answered", "The answer is on the platform."
    CLOSED = "closed", "Work on it has ended without an answer from here."
    SNOOZED = "snoozed", "Set aside until a time; then it comes back by itself."
    DISMISSED = "dismissed", "It needs no answer."
    EXPIRED = "expired", "Nobody answered in time: it is too old to be worth an answer."


class ReplyState(Vocabulary):
    """Where a reply is on its way to the platform."""

    AWAITING_APPROVAL = "awaiting_approval", "It waits for approval."
    QUEUED = "queued", "It waits for its turn, or for the time in which it can be undone to pass."
    SENDING = "sending", "The sender has it in hand: it may be on the platform already."
    SENT = "sent", "The platform took it; the sender has not read it back yet."
    CONFIRMED = "confirmed", "The sender has read it back from the platform."
    UNKNOWN = "unknown", "Nobody knows whether it arrived: the sender looks for it."
    FAILED = "failed", "It was not posted, and the sender does not try again."
    WITHDRAWN = "withdrawn", "Its writer took it back before it was sent."
    DELETED = "deleted", "It is gone from the platform."


class ItemFlag(IntEnum):
    """What is special about an item: bits of `item.flags`, which may hold several."""

    meaning: str

    def __new__(cls, bit: int, meaning: str = "") -> Self:
        member = int.__new__(cls, bit)
        member._value_ = bit
        member.meaning = meaning
        return member

    HIGH_REACH = 1, "The brand's policy counts its author's reach as high."
    UNSURE = 2, "The classifier is not sure of a label that decided."
    VIP = 4, "The brand's policy counts its author among those who matter most."
    HISTORY = 8, "It is older than what its source took as work at first: nothing is promised."


class Role(StrEnum):
    LISTENER = "listener"
    RESPONDER = "responder"
    MANAGER = "manager"
    ADMIN = "admin"


def aware(moment: datetime, name: str) -> None:
    """Refuse a naive time. Raises ValueError that names the field."""
    if moment.tzinfo is None:
        raise ValueError(f"{name} must carry a time zone, got {moment.isoformat()}")


class Author(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who wrote a post, as the platform shows them. `reach` counts followers (0: unknown)."""

    id: str
    name: str
    handle: str = ""
    reach: int = 0
    url: str = ""


class Mention(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One post, comment, mail or review that matched a brand's query, as collected.

    Immutable. An edit or a deletion is another `Mention` with the same `native_id`, a
    higher `revision` and its own `op`; `(brand, id, revision)` is the natural key.

    `thread` and `parent` are the platform's own ids (`parent` is empty for the first post
    of a thread). `can_reply` is the platform's verdict, with `reply_bar` its reason when it
    is False. `addressed` says that the post speaks to the brand: it names the brand's account
    or answers it. `address` is what the platform's responder needs to answer, as flat strings.

    `own` says that the brand's own account wrote it: an answer given outside Earshot, say.

    `published_at` is what the post says of itself; on some platforms its author sets it freely.
    `received_at` is when the platform took the post in, by its own clock (None: `published_at`
    is the platform's time already). `edited_at` is when it took this edit in, where it says so.
    `history` marks what is older than its source's first connection takes as work: nothing is
    promised for it. All times are UTC.
    """

    brand: str
    source: str
    platform: str
    native_id: str
    thread: str
    author: Author
    text: str
    url: str
    published_at: datetime
    collected_at: datetime
    op: Op = Op.CREATE
    revision: int = 0
    parent: str = ""
    lang: str = ""
    queries: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    can_reply: bool = True
    reply_bar: str = ""
    addressed: bool = False
    own: bool = False
    address: Mapping[str, str] = msgspec.field(default_factory=dict)
    received_at: datetime | None = None
    edited_at: datetime | None = None
    history: bool = False

    def __post_init__(self) -> None:
        if self.address.get(OWN_KEY) == "1":
            msgspec.structs.force_setattr(self, "own", True)  # noqa: FBT003 -- an attribute's value
        aware(self.published_at, "published_at")
        aware(self.collected_at, "collected_at")
        if self.received_at is not None:
            aware(self.received_at, "received_at")
        if self.edited_at is not None:
            aware(self.edited_at, "edited_at")

    @property
    def arrived_at(self) -> datetime:
        """When a promise may start: the later of the claimed time and the platform's. UTC."""
        received = self.received_at
        return self.published_at if received is None else max(self.published_at, received)

    @property
    def id(self) -> str:
        """The natural key within a brand: `platform:native_id`."""
        return f"{self.platform}:{self.native_id}"

    @property
    def thread_id(self) -> str:
        """The conversation's key within a brand: `platform:thread`."""
        return f"{self.platform}:{self.thread}"

    def keys(self) -> tuple[str, str, datetime]:
        """`id`, `thread_id` and `arrived_at`, for who needs them more than once."""
        return self.id, self.thread_id, self.arrived_at


class Label(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One judgement: its value, a calibrated probability of being right, and why.

    `reasons` holds the strongest parts of the text or the rule that spoke, strongest first.
    """

    value: str
    confidence: float
    reasons: tuple[str, ...] = ()


class Classification(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the model `model` believes about one mention.

    `topics` is ordered by confidence, strongest first, and empty when none fits. `spam` has
    the value `spam` or `ham`; the other values are those of their enumerations. `lang` is an
    ISO 639-1 code, or `und`.

    `wants_answer` is the probability that the author wants an answer: that of `WANTING` taken
    together, which may be high where no single intent is. None in messages of releases that
    did not say. `lang_known` is False where the model was not taught the mention's language,
    so that its labels are little better than guesses.
    """

    model: str
    lang: Label
    sentiment: Label
    intent: Label
    urgency: Label
    spam: Label
    topics: tuple[Label, ...] = ()
    wants_answer: float | None = None
    lang_known: bool = True


class Classified(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A mention with its classification: all that routing needs."""

    mention: Mention
    classification: Classification


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A promise: an answer within `within`, counted on the calendar named `calendar`."""

    name: str
    within: timedelta
    calendar: str
