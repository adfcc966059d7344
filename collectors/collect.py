"""Shell: poll a source, match, publish, and only then save the cursor.

    source.poll(part, cursor) | match | producer.send … flush | receipts + cursor (one transaction)

A crash before the transaction is a replay from the old cursor: the same posts are published
again and settled by their natural key. Deletions and edits of what was collected before pass
whatever they say now, and so do answers to a reply of ours.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace
from sqlalchemy.orm import Session

from collectors.contract import rate_limits
from collectors.contract.source import Batch, Gap, PlatformError, Post, Rejected, Source
from collectors.contract.validation import MISREAD, clean_id, clean_reason, reject_invalid
from collectors.intake import cursors
from collectors.intake.health import (
    HEALTH_EVERY_S,
    LOOK_AGAIN,
    PartState,
    failure_of,
    health_of,
    in_words,
    is_paused,
    polled,
    rest_s,
)
from collectors.intake.receipts import Receipt, headers_of, known_threads, write_receipts
from collectors.matching.addressed import IN_THREAD, is_addressed
from collectors.matching.matching import Matcher
from earshot.database.db import Sessions, readers_of
from earshot.domain import OWN_KEY, TEXT_LIMIT, Mention, Op
from earshot.items import reply_length
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from earshot.items.reply_length import ReplyLength
from earshot.log.contract import Producer
from earshot.log.spool.spooling import Backlog
from earshot.log.topics import MENTIONS
from earshot.runtime.crash_points import passed
from earshot.runtime.metrics import Metrics

logger = logging.getLogger(__name__)

BACKOFF_S = (1.0, 300.0)
"""First and longest rest after a failed poll, in seconds; it doubles in between."""


@dataclass
class Collector:
    """One source of one brand, and everything it is carried by."""

    brand: str
    name: str
    source: Source
    matcher: Matcher
    sessions: Sessions
    producer: Producer
    metrics: Metrics
    clock: Callable[[], datetime]
    reply_length: ReplyLength | None = None
    """How long a reply may be there: the desk reads it beside the source's health."""
    backlog: Callable[[], Backlog | None] = lambda: None
    part_done: Callable[[], None] = lambda: None
    """Called after each part that was polled: a sign of life."""
    monotonic: Callable[[], float] = time.monotonic  # for rests: `clock` may be set meanwhile
    parts: dict[str, PartState] = field(default_factory=dict)
    told_s: float = -math.inf

    def __post_init__(self) -> None:
        self.parts = {part: PartState() for part in self.source.parts()}
        self._well(self.clock())
        for name in ("source_errors", "source_gaps", "posts_rejected"):
            self.metrics.add(name, 0, source=self.name)
        rate_limits.record(self.metrics, self.source, self.name, self.clock())

    def step(self) -> datetime:
        """Poll each part that is due; when the next one is. Raises what log and database raise."""
        now = self.clock()
        if is_paused(self.backlog(), keeps_history=self.source.keeps_history):
            self._tell_of_pause()
            return now + LOOK_AGAIN
        for part, state in self.parts.items():
            if not rest_s([state], self.monotonic()):
                self._poll(part, state)
                rate_limits.record(self.metrics, self.source, self.name, self.clock())
                self.part_done()
        return min(state.due_at or now for state in self.parts.values())

    def rest_s(self) -> float:
        """How many seconds to rest before the next `step`, whatever became of the clock."""
        paused = is_paused(self.backlog(), keeps_history=self.source.keeps_history)
        return rest_s(self.parts.values(), self.monotonic(), paused=paused)

    def _poll(self, part: str, state: PartState) -> None:
        if not state.loaded:
            with readers_of(self.sessions).begin() as session:
                state.cursor = cursors.load_cursor(session, self.brand, self.name, part)
            state.loaded = True
        try:
            batch = reject_invalid(self.source.poll(part, state.cursor), self.clock())
        except (PlatformError, *MISREAD) as error:  # no source's mistake may end the others
            self._failed(part, state, failure_of(error))
            return
        passed("collect.polled")
        self._carry(part, batch)
        rest = 0.0 if batch.more else self.source.poll_every_s
        self.parts[part] = polled(batch.cursor, rest, self.clock(), self.monotonic())
        if not any(state.failures for state in self.parts.values()):
            self._well(self.clock())

    def _well(self, at: datetime) -> None:
        self.metrics.set("source_polled_timestamp_seconds", at.timestamp(), source=self.name)

    def _carry(self, part: str, batch: Batch) -> None:
        """Make a batch durable: first in the log, then receipts and cursor in one transaction."""
        now = self.clock()
        mentions = self._mentions(self._with_erasures(batch.posts), now)
        for mention in mentions:
            self.producer.send(
                MENTIONS.name, MENTIONS.key(mention), MENTIONS.encode(mention), headers_of(mention)
            )
        receipts = [
            Receipt(mention_id=m.id, revision=m.revision, thread=m.thread) for m in mentions
        ]
        receipts += [self._reject(rejected) for rejected in batch.rejected]
        if receipts:
            passed("collect.sent")
            self.producer.flush()
            passed("collect.flushed")
        self.metrics.add("posts_read", len(batch.posts), source=self.name)
        self.metrics.add("mentions_published", len(mentions), source=self.name)
        state = self.parts[part]
        idle = not receipts and batch.gap is None and batch.cursor == state.cursor
        idle = idle and not state.failures
        if idle and self.monotonic() - self.told_s < HEALTH_EVERY_S:
            return
        with self.sessions.begin() as session:
            new = write_receipts(session, self.brand, self.name, receipts, now)
            cursors.save_cursor(session, self.brand, self.name, part, batch.cursor, now)
            if state.failures:
                self._note(session, EventKind.SOURCE_HEALTH, now, {"part": part, "state": "ok"})
            last_post_at = max((p.published_at for p in batch.posts), default=None)
            self._tell(session, now, new, last_post_at, well=part)
            if batch.gap is not None:
                self._note_gap(session, part, batch.gap, now)
            passed("collect.saving")
        passed("collect.saved")
        self.told_s = self.monotonic()

    def _with_erasures(self, posts: Sequence[Post]) -> Sequence[Post]:
        """The posts, with the deletion of an account replaced by that of each of its mentions.

        A platform that reports of a closed account names no posts: the deletion's `native_id` is
        the author's own id.
        """
        closed = [p for p in posts if p.op is Op.DELETE and p.native_id == p.author.id]
        if not closed:
            return posts
        spread: list[Post] = [p for p in posts if p not in closed]
        with readers_of(self.sessions).begin() as session:
            for post in closed:
                spread += [
                    replace(post, native_id=native_id, thread=thread)
                    for native_id, thread in cursors.mentions_of_author(
                        session, self.brand, self.source.platform, post.author.id
                    )
                ]
        return spread

    def _mentions(self, posts: Sequence[Post], now: datetime) -> list[Mention]:
        """The posts that concern the brand, as mentions, in their order."""
        changed = [p for p in posts if p.op is not Op.CREATE]
        matches = {
            number: self.matcher.match(post)
            for number, post in enumerate(posts)
            if post.op is not Op.DELETE
        }
        replying = [p for n, p in enumerate(posts) if p.parent and n in matches and not matches[n]]
        threads: Mapping[str, str] = {}
        ours: frozenset[str] = frozenset()  # native ids of posts that answer us
        if changed or replying:
            with readers_of(self.sessions).begin() as session:
                ids = [f"{self.source.platform}:{post.native_id}" for post in changed]
                threads = known_threads(session, self.brand, ids)
                ours = cursors.answers_to_us(session, self.brand, self.source.platform, replying)
        mentions: list[Mention] = []
        seen_here: dict[str, str] = {}
        for number, post in enumerate(posts):
            known = threads.get(f"{self.source.platform}:{post.native_id}") or seen_here.get(
                post.native_id
            )
            match = matches.get(number)
            queries: tuple[str, ...]
            if match:
                queries = match.queries
            elif self.source.everything and post.op is not Op.DELETE:
                queries = (self.name,)
            elif post.native_id in ours:
                queries = (IN_THREAD,)
            elif post.op is not Op.CREATE and known is not None:
                queries = ()
            else:
                continue
            mention = self._mention(post, known, queries, match.terms if match else (), now)
            seen_here[post.native_id] = mention.thread
            mentions.append(mention)
        return mentions

    def _mention(
        self,
        post: Post,
        known_thread: str | None,
        queries: tuple[str, ...],
        terms: tuple[str, ...],
        now: datetime,
    ) -> Mention:
        own = self._is_ours(post)
        return Mention(
            brand=self.brand,
            source=self.name,
            platform=self.source.platform,
            native_id=post.native_id,
            thread=known_thread or post.thread or post.native_id,
            parent=post.parent,
            author=post.author,
            text=post.text[:TEXT_LIMIT],
            url=post.url,
            published_at=post.published_at,
            collected_at=now,
            op=post.op,
            revision=post.revision,
            lang=post.lang,
            queries=queries,
            matched=terms,
            can_reply=post.can_reply,
            reply_bar=post.reply_bar,
            addressed=is_addressed(post, queries, terms, self.source.account),
            own=own,
            address={**post.address, OWN_KEY: "1"} if own else post.address,
            received_at=post.received_at,
            edited_at=post.edited_at,
            history=post.history,
        )

    def _is_ours(self, post: Post) -> bool:
        """Whether the brand's own account wrote it: an answer given outside Earshot, say."""
        return self.source.account in (post.author.id, post.author.handle) and bool(
            self.source.account
        )

    def _reject(self, rejected: Rejected) -> Receipt:
        """Set aside what could not be parsed, under a name that every replay gives again."""
        digest = hashlib.blake2b(rejected.raw, digest_size=12).hexdigest()
        mention_id = f"{self.source.platform}:{clean_id(rejected.native_id) or '?' + digest}"
        headers = {
            "topic": MENTIONS.name,
            "brand": self.brand,
            "source": self.name,
            "mention": mention_id,
            "revision": "0",
            "reason": clean_reason(rejected.reason),
        }
        self.producer.send(MENTIONS.dead, mention_id.encode(), rejected.raw, headers)
        self.metrics.add("posts_rejected", source=self.name)
        return Receipt(mention_id=mention_id, revision=0, thread="")

    def _failed(self, part: str, state: PartState, error: PlatformError) -> None:
        now = self.clock()
        first, longest = BACKOFF_S
        rest = error.retry_after_s or min(longest, first * 2 ** min(state.failures, 16))
        state.failures += 1
        state.due_at = now + timedelta(seconds=longest if error.permanent else rest)
        state.due_s = self.monotonic() + (state.due_at - now).total_seconds()
        state.failing_since = state.failing_since or now
        state.trouble, state.permanent = str(error)[:1_000], error.permanent
        self.metrics.add("source_errors", source=self.name)
        logger.warning("source failed", extra={"source": self.name, "reason": str(error)})
        with self.sessions.begin() as session:
            self._tell(session, now, 0, None)
            if state.failures == 1:
                after = {"part": part, "state": "stopped" if error.permanent else "failing"}
                self._note(session, EventKind.SOURCE_HEALTH, now, after, str(error)[:1_000])

    def _tell(
        self,
        session: Session,
        now: datetime,
        new: int,
        last_post_at: datetime | None,
        well: str | None = None,
    ) -> None:
        """Save how the source fares: as its worst part does. `well` names one that recovered."""
        health = health_of(
            {name: state for name, state in self.parts.items() if name != well},
            self.backlog(),
            now,
            self.source.poll_every_s,
        )
        health |= {"collected": new} | ({"last_post_at": last_post_at} if last_post_at else {})
        if self.reply_length is not None:
            health["reply_length"] = reply_length.stored(self.reply_length)
        cursors.save_health(session, self.brand, self.name, self.source.platform, health)

    def _tell_of_pause(self) -> None:
        backlog = self.backlog()
        if backlog is None or self.monotonic() - self.told_s < HEALTH_EVERY_S:
            return
        health = {"state": "delayed", "error": in_words(backlog, paused=True)}
        with self.sessions.begin() as session:
            cursors.save_health(session, self.brand, self.name, self.source.platform, health)
        self.told_s = self.monotonic()

    def _note_gap(self, session: Session, part: str, gap: Gap, now: datetime) -> None:
        self.metrics.add("source_gaps", source=self.name)
        logger.warning("gap", extra={"source": self.name, "part": part, "reason": gap.reason})
        after = {"part": part, "since": gap.since, "until": gap.until}
        self._note(session, EventKind.SOURCE_GAP, now, after, gap.reason)

    def _note(
        self,
        session: Session,
        kind: EventKind,
        now: datetime,
        after: Mapping[str, object],
        why: str = "",
    ) -> None:
        event = {
            "subject": self.name,
            "after": dict(after),
            "why": {"reason": why} if why else None,
        }
        record(session, self.brand, now, "role:collect", kind, [event])
