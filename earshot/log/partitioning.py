"""Which partition a record goes to, and which member of a group a partition goes to.

Pure functions over values, shared by every log, so that a topic can move from one log to
another and keep each conversation in one place.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key`: CRC-32 modulo their number, the same on every log and machine."""
    return zlib.crc32(key) % partitions


@dataclass(frozen=True, slots=True)
class Shift:
    """What one member does to come closer to a fair sharing."""

    give: tuple[int, ...]
    take: tuple[int, ...]


def fair_share(members: Collection[str], me: str, partitions: int) -> int:
    """How many partitions are for `me`: equal shares, and the first by name get one more."""
    rank = sorted(members).index(me)
    share, rest = divmod(partitions, len(members))
    return share + (rank < rest)


def rebalance(owners: Sequence[str | None], members: Collection[str], me: str) -> Shift:
    """What `me` gives back and takes, where `owners[p]` holds partition `p` now.

    Nobody takes what a live member still holds; each member gives back what is above its
    share. When every member in turn has done its shift twice, each holds its fair share.
    """
    share = fair_share(members, me, len(owners))
    mine = [p for p, owner in enumerate(owners) if owner == me]
    free = [p for p, owner in enumerate(owners) if owner not in members]
    return Shift(tuple(mine[share:]), tuple(free[: max(0, share - len(mine))]))


@dataclass(frozen=True, slots=True)
class Lease:
    """A member's hold on one partition.

    `epoch` counts how often the partition changed hands: a commit under an older one is
    refused. `committed` is the first offset that the group has not committed.
    """

    epoch: int
    committed: int


class Positions:
    """Where one member is in the partitions it holds.

    What was delivered and not committed is remembered, so that losing such a partition
    (even for a moment) is known at the next commit.
    """

    def __init__(self) -> None:
        self.leases: dict[int, Lease] = {}
        self.next: dict[int, int] = {}
        self.lost: set[int] = set()
        self._open: set[int] = set()

    def adopt(self, leases: Mapping[int, Lease]) -> None:
        """Go on with these leases; new ones start at what the group has committed."""
        for partition, held in self.leases.items():
            now = leases.get(partition)
            if now is None or now.epoch != held.epoch:
                del self.next[partition]
                if partition in self._open:
                    self._open.discard(partition)
                    self.lost.add(partition)
        for partition, lease in leases.items():
            self.next.setdefault(partition, lease.committed)
        self.leases = dict(leases)

    def delivered(self, partition: int, upto: int) -> None:
        """The records before offset `upto` are with the caller now."""
        self.next[partition] = upto
        self._open.add(partition)

    def uncommitted(self) -> dict[int, int]:
        """The first offset not delivered of each partition that has something to commit."""
        return {partition: self.next[partition] for partition in self._open}

    def committed(self) -> None:
        """All that was delivered is committed."""
        for partition in self._open:
            epoch = self.leases[partition].epoch
            self.leases[partition] = Lease(epoch, self.next[partition])
        self._open.clear()

    def rewind(self) -> None:
        """Deliver again, from what is committed on: the caller dropped what it held."""
        self.next = {partition: lease.committed for partition, lease in self.leases.items()}
        self._open.clear()
        self.lost.clear()

    def rotation(self, turn: int) -> list[int]:
        """The partitions held, beginning with another one at every turn."""
        partitions = sorted(self.next)
        start = turn % len(partitions) if partitions else 0
        return partitions[start:] + partitions[:start]


def quota(room: int, waiting: int) -> int:
    """An equal share of `room` for one of `waiting` partitions, at least one record."""
    return max(1, room // waiting) if room > 0 else 0
