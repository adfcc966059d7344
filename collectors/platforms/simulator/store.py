"""What the simulated platform remembers, in one SQLite file that several processes share.

The tables are the ground truth for tests: `reply` holds what is on the platform, whether
or not the sender was told; `attempt` every try and how it really ended.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any

from collectors.contract.source import Answer, PlatformError
from collectors.platforms.simulator.timeline import Stretch

_BUSY_S = 10.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS world (seed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stretch (
    part INTEGER NOT NULL, first INTEGER NOT NULL, origin TEXT NOT NULL, step_s REAL NOT NULL,
    PRIMARY KEY (part, first)
);
CREATE TABLE IF NOT EXISTS head (part INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS attempt (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, parent TEXT NOT NULL,
    at TEXT NOT NULL, outcome TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reply (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, parent TEXT NOT NULL,
    thread TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL, visible_at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS storm (until TEXT NOT NULL, status INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS reply_thread ON reply (thread);
"""

_REPLY = "SELECT id, key, parent, thread, text, at, visible_at FROM reply "


class Fate(StrEnum):
    """How an attempt to reply really ended."""

    TAKEN = "taken"
    REFUSED = "refused"
    REQUEST_LOST = "request_lost"
    ANSWER_LOST = "answer_lost"


STANDS = frozenset({Fate.TAKEN, Fate.ANSWER_LOST})
"""After these the reply is on the platform."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReply:
    """A reply of the brand that is on the platform, shown from `visible_at` on."""

    id: int
    key: str
    parent: str
    thread: str
    text: str
    at: datetime
    visible_at: datetime


class SimulatedStore:
    """One open connection; other processes may have theirs. Raises PlatformError throughout."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._lock = Lock()
        with self._named():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            self._settle(seed)
        except PlatformError:
            self._db.close()
            raise

    def _settle(self, seed: int) -> None:
        with self._named():
            self._db.executescript(_SCHEMA)
        with self._writing() as db:
            db.execute("INSERT INTO world SELECT ? WHERE NOT EXISTS (SELECT 1 FROM world)", (seed,))
            (stored,) = db.execute("SELECT seed FROM world").fetchone()
        if stored != seed:
            raise PlatformError(
                f"the simulator's store {self._path} belongs to the world of seed {stored}, not"
                f" {seed}: set that seed, or give the new world a store of its own",
                permanent=True,
            )

    # ------------------------------------------------------------ time

    def stretches(self, part: int) -> Sequence[Stretch]:
        rows = self._read(
            "SELECT first, origin, step_s FROM stretch WHERE part = ? ORDER BY first", part
        )
        return [
            Stretch(first=first, origin=datetime.fromisoformat(origin), step_s=step_s)
            for first, origin, step_s in rows
        ]

    def begin(self, part: int, stretch: Stretch) -> None:
        """Keep a new stretch; a stretch that begins at the same event is replaced."""
        with self._writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO stretch VALUES (?, ?, ?, ?)",
                (part, stretch.first, stretch.origin.isoformat(), stretch.step_s),
            )

    def head(self, part: int) -> int:
        """The first event of `part` that was never handed out."""
        return next((at for (at,) in self._read("SELECT at FROM head WHERE part = ?", part)), 0)

    def advance(self, part: int, at: int) -> None:
        """Note that everything before `at` was handed out. Never goes back."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO head VALUES (?, ?)"
                " ON CONFLICT (part) DO UPDATE SET at = max(at, excluded.at)",
                (part, at),
            )

    # ------------------------------------------------------------ storms

    def storm(self, status: int, until: datetime) -> None:
        """Let the platform answer with this HTTP status until then; it replaces another storm."""
        with self._writing() as db:
            db.execute("DELETE FROM storm")
            db.execute("INSERT INTO storm VALUES (?, ?)", (until.isoformat(), status))

    def storms(self, at: datetime) -> int:
        """The HTTP status of the storm that rages at `at`; 0 in fair weather."""
        for until, status in self._read("SELECT until, status FROM storm"):
            if at < datetime.fromisoformat(until):
                return int(status)
        return 0

    # ------------------------------------------------------------ replies

    def attempt(
        self, answer: Answer, *, at: datetime, decide: Callable[[int], tuple[Fate, datetime]]
    ) -> tuple[Fate, int]:
        """One try to reply, in one transaction: its fate, and the reply's number (0: none).

        `decide` gets the number of the attempt and says what happens, and when a reply shows.
        """
        with self._writing() as db:
            number = db.execute(
                "INSERT INTO attempt (key, parent, at, outcome) VALUES (?, ?, ?, '')",
                (answer.key, answer.parent, at.isoformat()),
            ).lastrowid
            fate, visible_at = decide(number or 0)
            db.execute("UPDATE attempt SET outcome = ? WHERE id = ?", (fate, number))
            if fate not in STANDS:
                return fate, 0
            reply = db.execute(
                "INSERT INTO reply (key, parent, thread, text, at, visible_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    answer.key,
                    answer.parent,
                    answer.thread,
                    answer.text,
                    at.isoformat(),
                    visible_at.isoformat(),
                ),
            ).lastrowid
            return fate, reply or 0

    def fates(self) -> Sequence[Fate]:
        """How each attempt really ended, in their order."""
        return [Fate(fate) for (fate,) in self._read("SELECT outcome FROM attempt ORDER BY id")]

    def reply(self, id: int) -> StoredReply | None:
        return next(iter(self._replies(_REPLY + "WHERE id = ?", id)), None)

    def replies_after(self, id: int, limit: int) -> Sequence[StoredReply]:
        """The next replies by number, which is the order in which they were taken."""
        return self._replies(_REPLY + "WHERE id > ? ORDER BY id LIMIT ?", id, limit)

    def replies_in(self, thread: str) -> Sequence[StoredReply]:
        return self._replies(_REPLY + "WHERE thread = ? ORDER BY id", thread)

    def close(self) -> None:
        self._db.close()

    def _replies(self, sql: str, *values: object) -> list[StoredReply]:
        return [
            StoredReply(
                id=number,
                key=key,
                parent=parent,
                thread=thread,
                text=text,
                at=datetime.fromisoformat(at),
                visible_at=datetime.fromisoformat(visible_at),
            )
            for number, key, parent, thread, text, at, visible_at in self._read(sql, *values)
        ]

    def _read(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._named(), self._lock:
            return self._db.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._named(), self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise PlatformError(
                f"the simulator's store {self._path} can't be used ({error}):"
                " check its folder, the space left, and that no other program writes to it"
            ) from error
