"""A batch of mentions folded over the items of their threads. Pure.

`after` says what one mention makes of its item; what is written is made of the items before
and after, once, at the end. A revision that is not higher than the stored one changes nothing,
so that any part of a batch may be delivered again, in any grouping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from earshot.domain import TOMBSTONE, Op
from earshot.items.lifecycle import OPEN
from router.intake.ending import answered_outside, deleted
from router.intake.follow_up import followed_up, revised
from router.intake.item import Effect, Heard, Item
from router.intake.moves import compared, move_of
from router.intake.opening import opened
from router.intake.plan import Known, MentionKey, Plan, StoredMention
from router.intake.rows import NewEvent, NewMention, NewRevision
from router.policy.policy import Policy

ACTOR = "role:route"

A_MICROSECOND = 2048
"""How many numbers of items there are for each: 63 bits hold them until the year 2112."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Undecidable(Exception):
    """Nothing can be worked out for a mention: a due time past the last day, a broken policy."""


def after(
    item: Item | None, heard: Heard, policy: Policy, now: datetime, *, number: int, stored: bool
) -> Effect:
    """What `heard` makes of the item of its thread. A new item takes `number`.

    `stored` says that a lower revision of it is stored already. `now` is in UTC.
    """
    if item is None:
        return opened(heard, policy, now, number)
    if heard.own and not stored:
        return answered_outside(item, heard)
    if heard.mention.op == Op.DELETE:
        return deleted(item, heard)
    if stored:
        return revised(item, heard, policy)
    return followed_up(item, heard, policy)


def plan_batch(
    batch: Sequence[Heard],
    known: Known,
    policies: Mapping[str, Policy],
    now: datetime,
    draw: Callable[[int], int],
) -> Plan:
    """The writes for `batch`, whose brands are all in `policies`; new items get numbers.

    Raises Undecidable for the first mention that no writes can be worked out for.
    """
    fold = _Fold(known, now, item_numbers(now, draw))
    for heard in batch:
        try:
            fold.take(heard, policies[heard.mention.brand])
        except MemoryError:
            raise
        except Exception as error:
            # Whatever it is, it is about this one mention: no other may wait behind it for ever.
            raise Undecidable(
                f"{heard.id} can't be decided about: {type(error).__name__}: {error}; "
                "correct the brand's routing.yaml if it is the cause, then retry it"
            ) from error
    return fold.plan()


def item_numbers(now: datetime, draw: Callable[[int], int]) -> Iterator[int]:
    """Numbers for the items that a batch opens at `now`, one after the other.

    They rise with time, so that a database of millions writes new items, and what is looked up
    by them, side by side instead of all over its indexes. `draw` gives a random whole number
    below its argument: should two processes meet all the same, the database refuses one, which
    tries again at another time.
    """
    return count((now - _EPOCH) // timedelta(microseconds=1) * A_MICROSECOND + draw(A_MICROSECOND))


class _Fold:
    """One walk over a batch; later mentions see what earlier ones changed."""

    def __init__(self, known: Known, now: datetime, numbers: Iterator[int]) -> None:
        self._known, self._now, self._numbers = known, now, numbers
        self._mentions = dict(known.mentions)
        self._items = dict(known.items)
        self._threads = {(item.brand, item.thread): key for key, item in known.items.items()}
        self._first: dict[MentionKey, Heard] = {}
        self._newest: dict[MentionKey, Heard] = {}
        self._steps: list[tuple[Item | None, Heard, Effect]] = []
        self._plan = Plan()

    def take(self, heard: Heard, policy: Policy) -> None:
        """Fold `heard` in. Raises whatever the policy, or a time it comes to, can't do."""
        mention, key = heard.mention, heard.key
        stored = self._mentions.get(key)
        if mention.op != Op.CREATE:
            self._plan.revisions.append(self._revision(heard, stored))
        if mention.op == Op.DELETE:
            self._plan.erased.append(key)
        if stored is None:
            number = self._number(heard)
            self._first[key] = heard
            if not heard.own:
                self._count(heard)
        elif mention.revision > stored.revision:
            number = stored.item_id
        else:
            return
        self._mentions[key] = StoredMention(mention.revision, number)
        self._newest[key] = heard
        item = self._items.get(number)
        if heard.own and stored is None and (number, mention.native_id) in self._known.sent:
            return  # ours, sent from here and now collected
        if stored is not None and item is None:
            return  # its item was purged
        effect = after(item, heard, policy, self._now, number=number, stored=stored is not None)
        self._steps.append((item, heard, effect))
        self._items[number] = effect.item

    def plan(self) -> Plan:
        """The rows and moves of all that was taken."""
        plan, stored = self._plan, self._known.items
        for key, newest in self._newest.items():
            row = _mention(self._first.get(key, newest), newest, self._mentions[key], self._now)
            (plan.mentions if key in self._first else plan.revised).append(row)
        for before, heard, effect in self._steps:
            if effect.closed is not None:
                plan.closed.append(effect.closed)
            if before is not None and effect.why is not None and before.id in stored:
                plan.changes.append(move_of(before, effect, ACTOR, self._now))
            else:
                plan.events.append(_event(before, heard, effect, self._now))
        for number, item in self._items.items():
            if number not in stored:
                plan.items.append(item)
                _add_to_backlog(plan, item)
            elif item.shown is not stored[number].shown:
                plan.shown.append(item)
        return plan

    def _number(self, heard: Heard) -> int:
        thread = (heard.mention.brand, heard.thread)
        number = self._threads.get(thread)
        if number is None:
            number = self._threads[thread] = next(self._numbers)
        return number

    def _count(self, heard: Heard) -> None:
        hour = int(heard.arrived_at.timestamp()) // 3600
        topic = heard.said.topics[0].value if heard.said.topics else ""
        key = (heard.mention.brand, hour, heard.mention.source, topic, heard.said.sentiment.value)
        self._plan.volume[key] = self._plan.volume.get(key, 0) + 1

    def _revision(self, heard: Heard, stored: StoredMention | None) -> NewRevision:
        mention = heard.mention
        gone = mention.op == Op.DELETE or (stored is not None and stored.revision >= TOMBSTONE)
        return NewRevision(
            brand=mention.brand,
            mention_id=heard.id,
            revision=mention.revision,
            op=str(mention.op),
            text="" if gone else mention.text,
            collected_at=mention.collected_at,
            stored_at=self._now,
        )


def _add_to_backlog(plan: Plan, item: Item) -> None:
    if item.state in OPEN:
        routed, slot = item.routing, item.promise.slot
        key = (item.brand, item.state.value, routed.team, item.labels.sentiment, routed.flags, slot)
        plan.backlog[key] = plan.backlog.get(key, 0) + 1


def _mention(first: Heard, newest: Heard, stored: StoredMention, now: datetime) -> NewMention:
    was, mention, author = first.mention, newest.mention, newest.mention.author
    deleted_now = mention.op == Op.DELETE
    return NewMention(
        brand=was.brand,
        id=first.id,
        item_id=stored.item_id,
        source=was.source,
        platform=was.platform,
        native_id=was.native_id,
        thread=was.thread,
        parent=was.parent,
        author_id=author.id,
        author_name=author.name,
        author_handle=author.handle,
        author_reach=author.reach,
        text="" if deleted_now else mention.text,
        url=mention.url,
        published_at=was.published_at,
        received_at=was.received_at,
        collected_at=mention.collected_at,
        stored_at=now,
        revision=mention.revision,
        deleted=deleted_now,
        queries=mention.queries,
        can_reply=mention.can_reply,
        reply_bar=mention.reply_bar,
        address=mention.address,
        classification=newest.said,
        model=newest.said.model,
    )


def _event(before: Item | None, heard: Heard, effect: Effect, now: datetime) -> NewEvent:
    item, was, subject = effect.item, None, heard.id
    if before is None:
        is_now: Mapping[str, object] = {
            "state": item.state,
            "priority": item.routing.priority,
            "team": item.routing.team,
            "due_at": item.promise.due_at,
        }
    elif effect.why is None:
        is_now = {"revision": heard.mention.revision}
    else:
        was, is_now = compared(before, item)
        subject = str(item.id)
    return NewEvent(
        brand=item.brand,
        at=now,
        actor=ACTOR,
        kind=effect.kind,
        item_id=item.id,
        subject=subject,
        before=was,
        after=is_now,
        why=effect.why,
    )
