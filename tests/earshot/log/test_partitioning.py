"""Fair sharing of partitions, and what a member knows of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from earshot.log.partitioning import Lease, Positions, fair_share, partition_of, quota, rebalance

NAMES = st.sets(st.sampled_from("abcdefg"), min_size=1)


@given(st.binary(), st.integers(1, 64))
def test_a_key_always_has_the_same_partition_within_bounds(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, partitions) == partition_of(bytes(key), partitions)


def test_the_partition_is_that_of_the_published_crc32() -> None:
    assert partition_of(b"123456789", 2**32) == 0xCBF43926  # the check value of its definition


@given(NAMES, st.integers(1, 20))
def test_fair_shares_add_up_and_differ_by_one_at_most(members: set[str], partitions: int) -> None:
    shares = [fair_share(members, me, partitions) for me in members]
    assert sum(shares) == partitions
    assert max(shares) - min(shares) <= 1


@given(NAMES, st.lists(st.sampled_from([None, *"abcdefgxyz"]), min_size=1, max_size=20))
def test_any_ownership_becomes_fair_after_two_rounds_and_then_rests(
    members: set[str], owners: list[str | None]
) -> None:
    for _ in range(2):
        for me in sorted(members):
            shift = rebalance(owners, members, me)
            assert all(owners[p] == me for p in shift.give)
            assert all(owners[p] not in members for p in shift.take)
            for partition in shift.give:
                owners[partition] = None
            for partition in shift.take:
                owners[partition] = me
    for me in members:
        assert owners.count(me) == fair_share(members, me, len(owners))
        shift = rebalance(owners, members, me)
        assert shift.give == shift.take == ()


def test_a_partition_lost_for_a_moment_is_known_and_starts_again_at_what_is_committed() -> None:
    positions = Positions()
    positions.adopt({0: Lease(1, 5), 1: Lease(1, 0)})
    positions.delivered(0, 9)
    positions.adopt({1: Lease(1, 0)})
    positions.adopt({0: Lease(3, 5), 1: Lease(1, 0)})
    assert positions.lost == {0}
    assert positions.next == {0: 5, 1: 0}
    positions.rewind()
    assert positions.lost == set()


def test_a_partition_given_back_with_nothing_open_is_no_loss() -> None:
    positions = Positions()
    positions.adopt({0: Lease(1, 5)})
    positions.delivered(0, 9)
    positions.committed()
    positions.adopt({})
    assert positions.lost == set()
    assert positions.uncommitted() == {}


def test_rewinding_delivers_from_the_last_commit_on() -> None:
    positions = Positions()
    positions.adopt({0: Lease(1, 5)})
    positions.delivered(0, 7)
    positions.committed()
    positions.delivered(0, 9)
    positions.rewind()
    assert positions.next == {0: 7}


@given(st.lists(st.integers(0, 30), min_size=1, max_size=9))
def test_every_partition_has_its_turn_as_the_first(partitions: list[int]) -> None:
    positions = Positions()
    positions.adopt({p: Lease(1, 0) for p in partitions})
    firsts = {positions.rotation(turn)[0] for turn in range(len(set(partitions)))}
    assert firsts == set(partitions)


def test_nobody_has_a_turn_without_partitions() -> None:
    assert Positions().rotation(3) == []


@given(st.integers(0, 500), st.integers(1, 64))
def test_a_quota_is_at_least_one_record_while_there_is_room(room: int, waiting: int) -> None:
    assert quota(room, waiting) * waiting <= max(room, waiting)
    assert (quota(room, waiting) == 0) == (room == 0)
