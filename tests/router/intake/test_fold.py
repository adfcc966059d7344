"""Laws of the fold: what mentions come to, whatever comes when and however often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from earshot.domain import TOMBSTONE, Classification, Classified, ItemState, Op
from earshot.items.lifecycle import OPEN, slot_of
from router.intake.fold import after, item_numbers, plan_batch
from router.intake.item import Item
from router.intake.opening import opened
from router.intake.plan import Known, Plan
from router.intake.store import hear
from tests.builders import NOON, a_classified
from tests.router.streams import MINUTE, OUTAGE, POLICY, QUESTION, REMARK, UNSURE

times = st.datetimes(datetime(2020, 1, 1), datetime(2110, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 -- Hypothesis adds the zone

said = st.sampled_from([QUESTION, REMARK, UNSURE, OUTAGE])
REVISIONS = {Op.CREATE: 0, Op.EDIT: 5, Op.DELETE: TOMBSTONE}

records = st.builds(
    lambda number, op, meant: a_classified(
        native_id=str(number),
        op=op,
        revision=REVISIONS[op],
        text="" if op == Op.DELETE else f"words of {number}",
        published_at=NOON + number * MINUTE,
        history=number == 1,
        classification=meant,
        own=number == 3,
    ),
    st.integers(1, 4),
    st.sampled_from(list(Op)),
    said,
)
streams = st.lists(records, min_size=1, max_size=10)


def folded(stream: list[Classified]) -> Plan:
    """What a stream comes to where nothing was stored."""
    known = Known(mentions={}, items={})
    return plan_batch([hear(one) for one in stream], known, {"acme": POLICY}, NOON, lambda _: 0)


@given(streams, st.data())
def test_what_is_delivered_again_has_no_effect(
    stream: list[Classified], data: st.DataObject
) -> None:
    again = stream[data.draw(st.integers(0, len(stream))) :]
    once, twice = folded(stream), folded(stream + again)
    assert twice.items == once.items
    assert twice.mentions == once.mentions
    assert (twice.events, twice.volume, twice.backlog) == (once.events, once.volume, once.backlog)


@given(st.permutations(list(Op)), streams)
def test_a_deletion_is_never_undone_by_an_older_revision(
    order: list[Op], others: list[Classified]
) -> None:
    secret = [
        a_classified(native_id="9", op=op, revision=REVISIONS[op], text="my name is Ana")
        for op in order
    ]
    plan = folded([*others, *secret])
    (row,) = [one for one in plan.mentions if one.id == "simulator:9"]
    assert (row.deleted, row.revision, row.text) == (True, TOMBSTONE, "")
    kept = repr((plan.items, plan.mentions, plan.events))
    assert "my name is Ana" not in kept


@given(streams)
def test_the_backlog_counts_each_open_item_once_where_its_clock_began(
    stream: list[Classified],
) -> None:
    plan = folded(stream)
    for item in plan.items:
        assert item.promise.slot == slot_of(item.promise.clock_started_at)
    assert sum(plan.backlog.values()) == sum(item.state in OPEN for item in plan.items)
    assert {key[-1] for key in plan.backlog} <= {item.promise.slot for item in plan.items}


def an_item(one: Classified) -> Item:
    return opened(hear(one), POLICY, NOON, 1).item


@given(first=said, further=said, minutes=st.integers(-90, 90), edit=st.booleans())
def test_an_open_item_only_becomes_more_urgent(
    *, first: Classification, further: Classification, minutes: int, edit: bool
) -> None:
    item = an_item(a_classified(classification=first))
    more = a_classified(
        native_id="1" if edit else "2",
        op=Op.EDIT if edit else Op.CREATE,
        revision=5 if edit else 0,
        published_at=NOON + minutes * MINUTE,
        classification=further,
    )
    now = after(item, hear(more), POLICY, NOON, number=1, stored=edit).item
    if item.state in OPEN:
        assert now.state in (item.state, ItemState.QUEUED)
        assert now.routing.weight >= item.routing.weight
        assert now.promise.clock_started_at <= item.promise.clock_started_at
        assert now.promise.due_at is not None
        assert item.promise.due_at is not None
        assert now.promise.due_at <= item.promise.due_at


@given(times, st.integers(1, 10**9), st.integers(0, 2047), st.integers(0, 2047))
def test_a_later_batch_takes_greater_numbers_that_fit_into_63_bits(
    now: datetime, later_us: int, first: int, second: int
) -> None:
    batch = list(islice(item_numbers(now, lambda _: first), 3))
    following = next(item_numbers(now + timedelta(microseconds=later_us), lambda _: second))
    assert batch == list(range(batch[0], batch[0] + 3))
    assert 0 < batch[0] < following < 2**63
