"""The schema: every table of every stage, typed. Queries live in the stage that asks them.

Walls: each row belongs to a brand; times are UTC (`Utc`); JSON is text (`Json`), so that one
SQL runs on SQLite and PostgreSQL. What a stage writes is idempotent by its natural key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    case,
)
from sqlalchemy import (
    text as sql,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

from earshot.domain import ReplyState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode


def _as_it_is(value: datetime | None) -> datetime | None:
    return None if value is None else _aware(value)


def _microseconds(value: datetime | None) -> int | None:
    return None if value is None else (_aware(value) - _EPOCH) // _MICROSECOND


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"a naive time can't be stored: {value.isoformat()}")
    return value


def _json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


class Utc(TypeDecorator[datetime]):
    """An aware time in UTC: a timestamp with time zone on PostgreSQL, microseconds on SQLite."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """One call for each value: many times hang on every mention."""
        return _as_it_is if dialect.name == "postgresql" else _microseconds

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return _EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """Any JSON value, kept as text."""

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:
        return _json

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


BigKey = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only in a column of the type INTEGER."""


class Table(DeclarativeBase):
    """The declarative root: one `MetaData`, with names for every constraint."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 -- SQLAlchemy reads it as a plain class attribute
        datetime: Utc,
        dict[str, Any]: Json,
        list[str]: Json,
        list[Any]: Json,
        str: String,
    }


class SchemaFloorRow(Table):
    """Which code works on this schema: what knows this revision (`earshot.database.schema`)."""

    __tablename__ = "schema_floor"
    revision: Mapped[str] = mapped_column(String(32), primary_key=True)


# ------------------------------------------------------------------ collecting


class CursorRow(Table):
    """Where a part of a source stopped. Saved only after what it covers is durable."""

    __tablename__ = "cursor"
    brand: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[dict[str, Any]]
    saved_at: Mapped[datetime]


class ReceiptRow(Table):
    """Proof that a revision of a mention was collected: written with the cursor.

    The ledger is the difference between these and what the other tables hold.
    """

    __tablename__ = "receipt"
    brand: Mapped[str] = mapped_column(primary_key=True)
    mention_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    thread: Mapped[str]
    day: Mapped[str] = mapped_column(String(10), comment="day of collection, UTC, ISO")
    __table_args__ = (Index(None, "brand", "day", "source"), {"sqlite_with_rowid": False})


class CredentialRow(Table):
    """A platform's secret, sealed by `earshot.secrets.sealing`: useless without the key."""

    __tablename__ = "credential"
    brand: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    key_id: Mapped[str] = mapped_column(comment="the master key that sealed it")
    nonce: Mapped[bytes] = mapped_column(LargeBinary)
    ciphertext: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class PurgedRow(Table):
    """How many receipts of a source's day were purged: what the ledger still counts of them."""

    __tablename__ = "purged"
    brand: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class SourceHealthRow(Table):
    """How a source fares, for the desk: one row a source, overwritten by its collector."""

    __tablename__ = "source_health"
    brand: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str]
    state: Mapped[str] = mapped_column(comment="ok, delayed, failing or stopped")
    error: Mapped[str] = mapped_column(Text, default="")
    failing_since: Mapped[datetime | None]
    polled_at: Mapped[datetime | None]
    last_post_at: Mapped[datetime | None]
    next_poll_at: Mapped[datetime | None]
    collected: Mapped[int] = mapped_column(BigInteger, default=0)
    reply_length: Mapped[list[dict[str, Any]] | None] = mapped_column(
        Json, comment="how long a reply may be there; null: not said yet"
    )


# ------------------------------------------------------------------ what was heard


class MentionRow(Table):
    """A mention as it is after its newest revision, with its newest classification."""

    __tablename__ = "mention"
    brand: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True, comment="platform:native_id")
    item_id: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[str]
    platform: Mapped[str]
    native_id: Mapped[str]
    thread: Mapped[str]
    parent: Mapped[str]
    author_id: Mapped[str]
    author_name: Mapped[str]
    author_handle: Mapped[str]
    author_reach: Mapped[int] = mapped_column(BigInteger)
    text: Mapped[str] = mapped_column(Text)
    url: Mapped[str] = mapped_column(Text)
    published_at: Mapped[datetime]
    received_at: Mapped[datetime | None] = mapped_column(
        comment="by the platform; null: published_at is its own time"
    )
    collected_at: Mapped[datetime]
    stored_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[bool]
    queries: Mapped[list[str]]
    can_reply: Mapped[bool]
    reply_bar: Mapped[str] = mapped_column(Text)
    address: Mapped[dict[str, Any]]
    classification: Mapped[dict[str, Any]] = mapped_column(comment="domain.Classification")
    model: Mapped[str]
    __table_args__ = (
        Index(None, "item_id", "published_at"),
        Index(None, "brand", "platform", "author_id", "published_at"),
        {"sqlite_with_rowid": False},
    )

    @hybrid_property
    def arrived_at(self) -> datetime:
        """As `earshot.domain.Mention.arrived_at`."""
        received = self.received_at
        return self.published_at if received is None else max(self.published_at, received)

    @arrived_at.inplace.expression
    @classmethod
    def _arrived_at(cls) -> ColumnElement[datetime]:
        later = cls.received_at > cls.published_at
        return case((later, cls.received_at), else_=cls.published_at)


class RevisionRow(Table):
    """An edit or a deletion of a mention, as it arrived."""

    __tablename__ = "mention_revision"
    brand: Mapped[str] = mapped_column(primary_key=True)
    mention_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    op: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    collected_at: Mapped[datetime]
    stored_at: Mapped[datetime]


class DeadLetterRow(Table):
    """A record that could not be handled: seen, retried or dropped by a person."""

    __tablename__ = "dead_letter"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    topic: Mapped[str] = mapped_column(comment="the topic it came from")
    topic_id: Mapped[str] = mapped_column(
        server_default="", comment="which log's, whose offsets count by themselves; empty: unknown"
    )
    partition: Mapped[int] = mapped_column(
        comment="where it was set aside from; negative: of the dead topic"
    )
    offset: Mapped[int] = mapped_column(BigInteger)
    brand: Mapped[str]
    source: Mapped[str]
    mention_id: Mapped[str]
    revision: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    key: Mapped[bytes] = mapped_column(LargeBinary)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    headers: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(comment="waiting, retried or dropped")
    buried_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str] = mapped_column(default="")
    __table_args__ = (
        UniqueConstraint("topic", "partition", "offset", "topic_id"),
        Index(None, "brand", "mention_id", "revision"),
        Index(None, "state", "id"),
    )


# ------------------------------------------------------------------ the work


class ItemRow(Table):
    """A thread in which someone may want an answer. Its state moves by `earshot.items.lifecycle`.

    The columns from `platform` to `preview` repeat the newest inbound mention, so that a list
    reads one table. `state, team, sentiment, flags, slot` are the dimensions of `backlog`.
    """

    __tablename__ = "item"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    brand: Mapped[str]
    thread: Mapped[str] = mapped_column(comment="platform:thread")
    state: Mapped[str]
    state_reason: Mapped[str] = mapped_column(Text, default="")
    version: Mapped[int] = mapped_column(default=1, comment="counts up with every change")

    platform: Mapped[str]
    source: Mapped[str]
    mention_id: Mapped[str] = mapped_column(comment="the newest inbound mention")
    author_id: Mapped[str]
    author_name: Mapped[str]
    author_handle: Mapped[str]
    reach: Mapped[int] = mapped_column(BigInteger)
    lang: Mapped[str]
    topic: Mapped[str] = mapped_column(default="")
    topic_confidence: Mapped[float]
    sentiment: Mapped[str]
    intent: Mapped[str]
    urgency: Mapped[str]
    confidence: Mapped[float] = mapped_column(comment="the least sure of the labels that decided")
    preview: Mapped[str] = mapped_column(String(500))
    mentions: Mapped[int] = mapped_column(default=1, comment="inbound mentions in this thread")

    priority: Mapped[str] = mapped_column(default="")
    weight: Mapped[float] = mapped_column(default=1.0)
    team: Mapped[str] = mapped_column(default="")
    rule: Mapped[str] = mapped_column(default="", comment="the rule that chose the team")
    policy_version: Mapped[str] = mapped_column(default="")
    flags: Mapped[int] = mapped_column(default=0, comment="FLAG_* bits")
    slot: Mapped[int] = mapped_column(BigInteger, comment="clock_started_at in 300 s slots")

    clock_started_at: Mapped[datetime] = mapped_column(comment="oldest unanswered inbound post")
    target: Mapped[str] = mapped_column(default="", comment="first, next or resolution")
    target_s: Mapped[int] = mapped_column(default=0, comment="promised, in seconds on `calendar`")
    calendar: Mapped[str] = mapped_column(default="")
    due_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None] = mapped_column(comment="first answer that stood")
    assignee_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    excluded: Mapped[list[Any]] = mapped_column(
        default=list, comment="person ids that gave it back"
    )
    offers: Mapped[int] = mapped_column(default=0)
    snoozed_until: Mapped[datetime | None]
    reopened: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    __table_args__ = (
        UniqueConstraint("brand", "thread"),
        Index(None, "brand", "state", "clock_started_at", "id"),
        Index(None, "brand", "state", "due_at", "id"),
        Index(
            "ix_item_assignee",
            "assignee_id",
            "due_at",
            sqlite_where=sql("assignee_id IS NOT NULL"),
            postgresql_where=sql("assignee_id IS NOT NULL"),
        ),
        Index(
            "ix_item_snoozed",
            "snoozed_until",
            sqlite_where=sql("snoozed_until IS NOT NULL"),
            postgresql_where=sql("snoozed_until IS NOT NULL"),
        ),
    )


SLOT_S = 300
"""The width of a backlog slot in seconds: open-by-age reads no item."""


class AssignmentRow(Table):
    """A reservation of an item for a responder, and how it ended. At most one is current."""

    __tablename__ = "assignment"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    brand: Mapped[str]
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    state: Mapped[str] = mapped_column(comment="offered, accepted or ended")
    lease_until: Mapped[datetime | None] = mapped_column(comment="an offer ends then by itself")
    made_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str] = mapped_column(default="")
    policy_version: Mapped[str]
    explain: Mapped[dict[str, Any]] = mapped_column(comment="why this responder, not the others")
    __table_args__ = (
        Index(
            "uq_assignment_current",
            "item_id",
            unique=True,
            sqlite_where=sql("state <> 'ended'"),
            postgresql_where=sql("state <> 'ended'"),
        ),
        Index(
            "ix_assignment_person_current",
            "person_id",
            sqlite_where=sql("state <> 'ended'"),
            postgresql_where=sql("state <> 'ended'"),
        ),
        Index(None, "item_id", "id"),
    )


UNDERWAY = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.SENT, ReplyState.UNKNOWN)
"""The states of a reply that is on its way: those that `ix_reply_outbox` holds."""

IS_UNDERWAY = sql("state IN ({})".format(",".join(f"'{state}'" for state in UNDERWAY)))
"""Ask with these very words: SQLite takes the partial index only where it reads them, not where
the states are parameters."""


class ReplyRow(Table):
    """An answer on its way: the intent is here before any network call (outbox)."""

    __tablename__ = "reply"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    brand: Mapped[str]
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    mention_id: Mapped[str] = mapped_column(comment="the mention that is answered")
    mention_revision: Mapped[int] = mapped_column(BigInteger, comment="as the writer saw it")
    source: Mapped[str] = mapped_column(comment="whose responder sends it")
    platform: Mapped[str]
    parent: Mapped[str] = mapped_column(comment="native id of the mention")
    thread: Mapped[str] = mapped_column(comment="native id of the thread")
    address: Mapped[dict[str, Any]]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str]
    key: Mapped[str] = mapped_column(String(32), unique=True, comment="the same for each attempt")
    then: Mapped[str] = mapped_column(default="answered", comment="item state once confirmed")
    forced: Mapped[bool] = mapped_column(default=False, comment="a person said: send regardless")
    created_at: Mapped[datetime]
    queued_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None] = mapped_column(comment="undo delay, back-off, settling")
    lease_owner: Mapped[str] = mapped_column(default="")
    lease_epoch: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    first_attempt_at: Mapped[datetime | None]
    looked: Mapped[int] = mapped_column(default=0, comment="times it was sought and not seen")
    unreadable: Mapped[int] = mapped_column(default=0, comment="failed read-backs in a row")
    native_id: Mapped[str] = mapped_column(default="")
    url: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    changed_at: Mapped[datetime]
    __table_args__ = (
        Index(None, "item_id", "id"),
        Index(None, "platform", "native_id"),
        Index(
            "uq_reply_pending",
            "item_id",
            unique=True,
            sqlite_where=sql("state IN ('awaiting_approval','queued','sending','sent','unknown')"),
            postgresql_where=sql(
                "state IN ('awaiting_approval','queued','sending','sent','unknown')"
            ),
        ),
        Index(
            "ix_reply_outbox",
            "not_before",
            sqlite_where=IS_UNDERWAY,
            postgresql_where=IS_UNDERWAY,
        ),
    )


class DraftRow(Table):
    """What a person has typed and not sent yet, for one item."""

    __tablename__ = "draft"
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    brand: Mapped[str]
    text: Mapped[str] = mapped_column(Text)
    saved_at: Mapped[datetime]


class EventRow(Table):
    """One append-only line for everything that happened. Audit, live pages and roll-ups read it."""

    __tablename__ = "event"
    seq: Mapped[int] = mapped_column(BigKey, primary_key=True)
    brand: Mapped[str]
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(comment="person:ID, or role:NAME for a process")
    kind: Mapped[str]
    item_id: Mapped[int | None] = mapped_column(BigInteger)
    subject: Mapped[str] = mapped_column(comment="mention id, reply id, source name …")
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)
    why: Mapped[dict[str, Any] | None] = mapped_column(Json)
    __table_args__ = (Index(None, "item_id", "seq"), {"sqlite_autoincrement": True})


class ClockWatchRow(Table):
    """The one row that says whether the clock is believed (`operations.retention.clock_watch`)."""

    __tablename__ = "clock_watch"
    id: Mapped[int] = mapped_column(primary_key=True, comment="always 1")
    trusted_at: Mapped[datetime] = mapped_column(comment="the latest time that was believed")
    held_at: Mapped[datetime | None] = mapped_column(comment="no purge since; null: it goes on")
    reason: Mapped[str] = mapped_column(default="")


class MaintenanceRow(Table):
    """The one row that says when upkeep was last done (`operations.maintain`)."""

    __tablename__ = "maintenance"
    id: Mapped[int] = mapped_column(primary_key=True, comment="always 1")
    done_at: Mapped[datetime] = mapped_column(comment="noted once a minute, by any of them")


# ------------------------------------------------------------------ numbers


class BacklogRow(Table):
    """How many open items stand in each state, by the slot in which their clock started."""

    __tablename__ = "backlog"
    brand: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(primary_key=True)
    team: Mapped[str] = mapped_column(primary_key=True)
    sentiment: Mapped[str] = mapped_column(primary_key=True)
    flags: Mapped[int] = mapped_column(primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    n: Mapped[int]


class VolumeRow(Table):
    """How many mentions arrived: per hour of publication, source, topic and sentiment."""

    __tablename__ = "volume"
    brand: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, comment="hours since 1970, UTC")
    source: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    sentiment: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int]


class ResponseRow(Table):
    """Closed clocks as a mergeable histogram (`earshot.items.histogram`), one row a bucket.

    `day` is that of the clock's start (cohort by arrival). `bucket` is of calendar seconds;
    `met` says whether the promise, counted on its calendar, was kept.
    """

    __tablename__ = "response"
    brand: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True, comment="first, next or resolution")
    team: Mapped[str] = mapped_column(primary_key=True)
    topic: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str] = mapped_column(primary_key=True)
    bucket: Mapped[int] = mapped_column(primary_key=True)
    met: Mapped[bool] = mapped_column(primary_key=True)
    n: Mapped[int]


class ClockRow(Table):
    """One closed clock: the line behind a number of `response`, so that it opens its items."""

    __tablename__ = "clock"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    brand: Mapped[str]
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    metric: Mapped[str]
    day: Mapped[str] = mapped_column(String(10))
    team: Mapped[str]
    topic: Mapped[str]
    platform: Mapped[str]
    bucket: Mapped[int]
    met: Mapped[bool]
    started_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    stopped_at: Mapped[datetime]
    person_id: Mapped[int | None]
    __table_args__ = (
        UniqueConstraint("item_id", "metric", "started_at"),
        Index(None, "brand", "metric", "day", "id"),
    )


# ------------------------------------------------------------------ people


class BrandRow(Table):
    """A brand of this installation; its file is the truth, the row is for foreign lists."""

    __tablename__ = "brand"
    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class PersonRow(Table):
    """Someone who can sign in."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(BigKey, primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password_hash: Mapped[str] = mapped_column(Text, default="", comment="argon2id; empty: none")
    active: Mapped[bool] = mapped_column(default=True)
    simulated: Mapped[bool] = mapped_column(default=False, comment="a colleague of the demo")
    timezone: Mapped[str] = mapped_column(default="UTC")
    locale: Mapped[str] = mapped_column(default="en")
    theme: Mapped[str] = mapped_column(default="auto")
    single_keys: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class MembershipRow(Table):
    """What a person may do for a brand, and what they can answer there."""

    __tablename__ = "membership"
    brand: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), primary_key=True)
    roles: Mapped[list[str]]
    teams: Mapped[list[str]] = mapped_column(default=list)
    skills: Mapped[dict[str, Any]] = mapped_column(default=dict, comment="skill → level 1..3")
    langs: Mapped[list[str]] = mapped_column(default=list)
    slots: Mapped[int] = mapped_column(default=4)
    on_duty: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime | None]
    suspect_until: Mapped[datetime | None] = mapped_column(comment="silent after an offer")


class SessionRow(Table):
    """A signed-in browser. Only a hash of its token is kept."""

    __tablename__ = "session"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    brand: Mapped[str] = mapped_column(comment="the brand last looked at")
    made_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    agent: Mapped[str] = mapped_column(String(200), default="")


class SignInLinkRow(Table):
    """A one-time sign-in link, kept as a hash and used at most once."""

    __tablename__ = "sign_in_link"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    ends_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SignInFailureRow(Table):
    """Failures in a row to sign in at one place; the place is kept as a hash."""

    __tablename__ = "sign_in_failure"
    place_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), comment="address, account or pair of both")
    count: Mapped[int]
    last_at: Mapped[datetime]
    __table_args__ = (Index(None, "kind", "last_at"),)
