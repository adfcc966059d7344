"""One member of a consumer group on SQLite: its membership, its leases, its commits.

The file beside a topic's holds three tables. A member is alive while it shows itself within
`lease_s`; a partition belongs to its owner until the owner gives it back or is found dead;
its epoch grows at every change of hands, so that a commit from the past is refused. What is
lost of this file by a power cut is only redelivered, so it is not synced at every commit.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Mapping

from earshot.log.contract import LogError
from earshot.log.partitioning import Lease, rebalance
from earshot.log.sqlite.file import SqliteFile, sqlite_errors

_MEMBER = """create table if not exists member (
    name text, id text, until real not null, primary key (name, id)) without rowid"""
_LEASE = """create table if not exists lease (
    name text, partition integer, owner text, epoch integer not null, committed integer not null,
    primary key (name, partition)) without rowid"""
# counts the changes of who is there and who holds what: members look here for news
_GENERATION = """create table if not exists generation (
    name text primary key, number integer not null) without rowid"""


def create(file: SqliteFile) -> None:
    """Make the tables that are not there yet."""
    with file.writing() as connection:
        for statement in (_MEMBER, _LEASE, _GENERATION):
            connection.execute(statement)


def committed(file: SqliteFile, group: str) -> dict[int, int]:
    """The first offset not committed by `group`, of each partition it ever held."""
    with file.reading() as connection:
        rows = connection.execute("select partition, committed from lease where name = ?", (group,))
        return dict(rows.fetchall())


def rewind(file: SqliteFile, group: str, to: Mapping[int, int], now: float) -> None:
    """Take the group's offsets back to `to`, if they are beyond. Raises LogError if it is alive."""
    with file.writing() as connection:
        alive = connection.execute(
            "select count(*) from member where name = ? and until >= ?", (group, now)
        ).fetchone()[0]
        if alive:
            raise LogError(f"{file.path}: group {group!r} reads it: stop its members first")
        connection.executemany(
            "update lease set committed = min(committed, ?), epoch = epoch + 1"
            " where name = ? and partition = ?",
            [(offset, group, partition) for partition, offset in to.items()],
        )


def safe_offsets(file: SqliteFile) -> dict[int, int]:
    """Per partition, the first offset that some group may still need.

    Empty while no group ever read the topic: then everything may be needed.
    """
    with file.reading() as connection:
        rows = connection.execute("select partition, min(committed) from lease group by partition")
        return dict(rows.fetchall())


class Membership:
    """A member's side of its group. `clock` gives epoch seconds, shared by all members."""

    def __init__(
        self,
        file: SqliteFile,
        group: str,
        partitions: int,
        lease_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.id = uuid.uuid4().hex[:12]
        self._file = file
        self._group = group
        self._lease_s = lease_s
        self._clock = clock
        self._due = 0.0
        self._version = -1
        self._generation = -1
        with file.writing() as connection:
            connection.executemany(
                "insert or ignore into lease values (?, ?, null, 0, 0)",
                [(group, partition) for partition in range(partitions)],
            )
            self._show(connection)
            self._announce(connection)

    def stale(self) -> bool:
        """Whether it is time to settle: somebody came, left or gave back, or we must be seen."""
        now = self._clock()
        if not self._due - self._lease_s < now < self._due:  # also after the clock was set back
            return True
        version = self._file.version()
        if version == self._version:
            return False
        self._version = version
        with sqlite_errors(self._file.path):
            return self._read_generation(self._file.connection) != self._generation

    def settle(self) -> dict[int, Lease]:
        """Be seen, bury the dead, give and take for a fair share; the leases held now."""
        with self._file.writing() as connection:
            self._show(connection)
            self._bury(connection)
            rows = connection.execute(
                "select owner, epoch, committed from lease where name = ? order by partition",
                (self._group,),
            ).fetchall()
            members = connection.execute(
                "select id from member where name = ?", (self._group,)
            ).fetchall()
            shift = rebalance(
                [owner for owner, _, _ in rows], {member for (member,) in members}, self.id
            )
            connection.executemany(
                "update lease set owner = null where name = ? and partition = ?",
                [(self._group, partition) for partition in shift.give],
            )
            connection.executemany(
                "update lease set owner = ?, epoch = epoch + 1 where name = ? and partition = ?",
                [(self.id, self._group, partition) for partition in shift.take],
            )
            if shift.give or shift.take:
                self._announce(connection)
            self._generation = self._read_generation(connection)
            held = connection.execute(
                "select partition, epoch, committed from lease where name = ? and owner = ?",
                (self._group, self.id),
            )
            return {partition: Lease(epoch, upto) for partition, epoch, upto in held.fetchall()}

    def commit(self, upto: Mapping[int, int], leases: Mapping[int, Lease]) -> bool:
        """Move the group's offsets to `upto`, all or none; False if a lease is not ours now."""
        if not upto:
            return True
        with self._file.writing() as connection:
            rows = connection.execute(
                "select partition, epoch from lease where name = ? and owner = ?",
                (self._group, self.id),
            )
            held = dict(rows.fetchall())
            if any(held.get(partition) != leases[partition].epoch for partition in upto):
                return False
            connection.executemany(
                "update lease set committed = ? where name = ? and partition = ?",
                [(offset, self._group, partition) for partition, offset in upto.items()],
            )
        return True

    def leave(self) -> None:
        """Give everything back at once."""
        with self._file.writing() as connection:
            connection.execute(
                "delete from member where name = ? and id = ?", (self._group, self.id)
            )
            self._release(connection, self.id)
            self._announce(connection)

    def _show(self, connection: sqlite3.Connection) -> None:
        now = self._clock()
        connection.execute(
            "insert into member values (?, ?, ?) on conflict do update set until = excluded.until",
            (self._group, self.id, now + self._lease_s),
        )
        self._due = now + self._lease_s / 3

    def _bury(self, connection: sqlite3.Connection) -> None:
        """Remove who was not seen in time; a time far ahead comes from a clock set back."""
        now = self._clock()
        dead = connection.execute(
            "delete from member where name = ? and id <> ? and (until < ? or until > ?)"
            " returning id",
            (self._group, self.id, now, now + 3 * self._lease_s),
        ).fetchall()
        for (member,) in dead:
            self._release(connection, member)
        if dead:
            self._announce(connection)

    def _release(self, connection: sqlite3.Connection, member: str) -> None:
        connection.execute(
            "update lease set owner = null where name = ? and owner = ?", (self._group, member)
        )

    def _announce(self, connection: sqlite3.Connection) -> None:
        connection.execute(
            "insert into generation values (?, 1) on conflict do update set number = number + 1",
            (self._group,),
        )

    def _read_generation(self, connection: sqlite3.Connection) -> int:
        found: tuple[int] | None = connection.execute(
            "select number from generation where name = ?", (self._group,)
        ).fetchone()
        return found[0] if found else 0
