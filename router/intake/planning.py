"""What a batch of classified mentions changes, given what is stored already. Pure.

The rules, for each mention in turn:

* a revision that is not higher than the stored one changes nothing, so that any part of a
  batch may be delivered again, in any grouping;
* the first mention of a thread opens its item, by the brand's policy;
* a further mention reopens an item that had come to an end, if the policy wants an answer to
  it; in an open one the clock stays with the oldest unanswered post, and priority only rises;
* a post counts from when it arrived: what its author dates back has no older promise;
* history opens its item without a promise, and changes nothing of one that is of now;
* a post of the brand's own account never opens an item: it answers what it follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from earshot.domain import TOMBSTONE, Classified, ItemFlag, ItemState, Op
from earshot.items import lifecycle
from earshot.items.events import EventKind
from earshot.items.holding import HELD
from earshot.items.lifecycle import OPEN, Change
from earshot.items.rollups import ClosedClock
from router.intake import history, rows
from router.intake.follow_up import came_back, more_urgent, raised, reopened
from router.intake.plan import SEEN_OUTSIDE, Known, MentionKey, Plan, StoredMention
from router.intake.rows import ACTOR, STATE, Row
from router.policy.policy import Do, Policy

DELETED_UNREAD = "deleted before it was read"
DELETED = "deleted by its author"
OWN = "posted by the brand itself"

LEFT_ALONE = frozenset({ItemState.AWAITING_APPROVAL, ItemState.SENDING})
"""States in which a reply of ours is under way: its sender decides what becomes of the item."""


def plan_batch(
    batch: Sequence[Classified],
    known: Known,
    policies: Mapping[str, Policy],
    now: datetime,
    numbers: Iterator[int],
) -> Plan:
    """The writes for `batch`, whose brands are all in `policies`. New items take `numbers`.

    Raises Undecidable for the first mention that no writes can be worked out for.
    """
    planner = _Planner(known, now, numbers)
    for classified in batch:
        try:
            planner.take(policies[classified.mention.brand], classified)
        except MemoryError:
            raise
        except Exception as error:
            # Whatever it is, it is about this one mention: no other may wait behind it for ever.
            raise Undecidable(
                f"{classified.mention.id} can't be decided about: {type(error).__name__}: {error}; "
                "correct the brand's routing.yaml if it is the cause, then retry it"
            ) from error
    return planner.plan


class Undecidable(Exception):
    """Nothing can be worked out for a mention: a due time past the last day, a broken policy."""


class _Planner:
    """One walk over a batch; later mentions see what earlier ones changed."""

    def __init__(self, known: Known, now: datetime, numbers: Iterator[int]) -> None:
        self.plan = Plan()
        self._known = known
        self._now = now
        self._numbers = numbers
        self._mentions = dict(known.mentions)
        self._items: dict[int, Row] = {key: dict(item) for key, item in known.items.items()}
        self._threads = {(row["brand"], row["thread"]): key for key, row in known.items.items()}
        self._fresh_mentions: dict[MentionKey, Row] = {}
        self._fresh_items: set[int] = set()
        self._newest_at = {key: item["newest_at"] for key, item in known.items.items()}

    def take(self, policy: Policy, classified: Classified) -> None:
        mention = classified.mention
        key = (mention.brand, mention.id)
        stored = self._mentions.get(key)
        if mention.op != Op.CREATE:
            gone = stored is not None and stored.revision >= TOMBSTONE
            self.plan.revisions.append(rows.revision_row(classified, self._now, gone=gone))
        if stored is None:
            thread = (mention.brand, mention.thread_id)
            item = self._threads.get(thread)
            if item is None:
                item = self._threads[thread] = next(self._numbers)
            self._first_seen(policy, classified, item)
            row = rows.mention_row(classified, item, self._now)
            self.plan.mentions.append(row)
            self._fresh_mentions[key] = row
            self._mentions[key] = StoredMention(mention.revision, item)
        elif mention.revision > stored.revision:
            self._revised(policy, classified, stored.item_id)
            newest = rows.newest_revision(classified)
            if key in self._fresh_mentions:
                self._fresh_mentions[key].update(newest)
            else:
                self.plan.newest[key] = newest
            self._mentions[key] = StoredMention(mention.revision, stored.item_id)
        if mention.op == Op.DELETE:
            self.plan.erased.append(key)

    # ------------------------------------------------------------ mentions not seen before

    def _first_seen(self, policy: Policy, classified: Classified, item_key: int) -> None:
        own = classified.mention.own
        if not own:
            self._count(classified)
        item = self._items.get(item_key)
        if item is None:
            self._open(policy, classified, item_key)
        elif own:
            self._own_post(item, classified)
        elif classified.mention.op == Op.DELETE:
            self._note(item, classified, EventKind.MENTION_DELETED)
        else:
            self._follow_up(policy, item, classified)

    def _open(self, policy: Policy, classified: Classified, item_key: int) -> None:
        intake = history.decide(policy, classified)
        end, why = "", rows.grounds(policy, intake, classified)
        if classified.mention.own:
            end = OWN
        elif classified.mention.op == Op.DELETE:
            end = DELETED_UNREAD
        if end:
            why = {"reason": end, "mention": classified.mention.id}
        item = rows.item_row(item_key, policy, intake, classified, self._now, end)
        self.plan.items.append(item)
        names = ("state", "priority", "team", "due_at")
        after = {name: item[name] for name in names}
        self.plan.events.append(
            rows.event_row(
                item, self._now, EventKind.MENTION_NEW, classified.mention.id, after=after, why=why
            )
        )
        self._items[item["id"]] = item
        self._newest_at[item["id"]] = classified.mention.arrived_at
        self._fresh_items.add(item["id"])

    def _follow_up(self, policy: Policy, item: Row, classified: Classified) -> None:
        state = ItemState(item["state"])
        intake = history.decide(policy, classified, reopened=state not in OPEN)
        arrived = classified.mention.arrived_at
        newest = arrived >= self._newest_at[item["id"]]
        idle = intake.do is Do.DISMISS or history.changes_nothing(intake, item, newest=newest)
        columns: Row = {"mentions": item["mentions"] + 1}
        if newest:
            columns |= rows.labels(classified, intake)
            self._snapshot(item, classified)
        why = rows.grounds(policy, intake, classified)
        if idle:
            self._change(item, EventKind.MENTION_NEW, columns, why)
        elif state in OPEN:
            columns |= more_urgent(policy, intake, item, arrived)
            to = raised(state, intake)
            if to is not state:
                columns |= {"snoozed_until": None, "state_reason": intake.reason}
            self._change(item, EventKind.MENTION_NEW, columns, why, to=to)
        else:
            columns |= reopened(policy, intake, item, arrived)
            kind = EventKind.ITEM_REOPENED if came_back(intake, item) else EventKind.MENTION_NEW
            self._change(item, kind, columns, why, to=STATE[intake.do])

    def _own_post(self, item: Row, classified: Classified) -> None:
        mention, state = classified.mention, ItemState(item["state"])
        if (item["id"], mention.native_id) in self._known.sent:
            return  # ours, sent from here and now collected
        waiting = state in OPEN and state not in LEFT_ALONE
        if not waiting or mention.arrived_at < item["clock_started_at"]:
            self._note(item, classified, EventKind.REPLY_SEEN_OUTSIDE)
            return
        self.plan.answered.append((self._closed(item, mention.arrived_at), item["id"]))
        to = ItemState.ANSWERED
        if to not in lifecycle.NEXT[state]:
            to = ItemState.CLOSED
        columns: Row = {
            "state_reason": SEEN_OUTSIDE,
            "assignee_id": None,
            "snoozed_until": None,
            "answered_at": item["answered_at"] or mention.arrived_at,
        }
        why = {"reason": SEEN_OUTSIDE, "mention": mention.id}
        self._change(item, EventKind.REPLY_SEEN_OUTSIDE, columns, why, to=to)

    # ------------------------------------------------------------ edits and deletions

    def _revised(self, policy: Policy, classified: Classified, item_key: int) -> None:
        item = self._items.get(item_key)
        if item is None:
            return
        mention = classified.mention
        if mention.op == Op.DELETE:
            self._deleted(item, classified)
            return
        if item["mention_id"] != mention.id or classified.mention.own:
            self._note(item, classified, EventKind.MENTION_EDITED)
            return
        state = ItemState(item["state"])
        intake = history.decide(policy, classified, reopened=state not in OPEN)
        idle = intake.do is Do.DISMISS or history.changes_nothing(intake, item, newest=True)
        columns = rows.labels(classified, intake)
        self._patch(item, rows.snapshot(classified))
        why = rows.grounds(policy, intake, classified)
        to = state
        # Where the platform does not say when it took the edit in, we can only say when we did.
        edited = mention.edited_at or mention.collected_at
        if state in OPEN and not idle:
            asked = edited if item["flags"] & ItemFlag.HISTORY else item["clock_started_at"]
            columns |= more_urgent(policy, intake, item, asked)
            to = raised(state, intake)
        elif state is ItemState.DISMISSED and not idle:
            # What was dismissed unread says something else now. It was asked with the edit.
            columns |= reopened(policy, intake, item, edited)
            to = STATE[intake.do]
        self._change(item, EventKind.MENTION_EDITED, columns, why, to=to)

    def _deleted(self, item: Row, classified: Classified) -> None:
        mention = classified.mention
        if item["mention_id"] == mention.id:
            self._patch(item, {"preview": ""})
        nobody_left = item["mentions"] == 1 and item["mention_id"] == mention.id
        state = ItemState(item["state"])
        if nobody_left and state in OPEN and state not in HELD:
            why = {"reason": DELETED, "mention": mention.id}
            to = ItemState.DISMISSED
            columns: Row = {"state_reason": DELETED, "snoozed_until": None}
            self._change(item, EventKind.MENTION_DELETED, columns, why, to=to)
        else:
            self._note(item, classified, EventKind.MENTION_DELETED)

    # ------------------------------------------------------------ writing it down

    def _change(
        self, item: Row, kind: EventKind, columns: Row, why: Row, to: ItemState | None = None
    ) -> None:
        """Change an item: in place while it is new, else by a move of its own."""
        if item["id"] not in self._fresh_items:
            self.plan.changes.append(
                Change(
                    item_id=item["id"],
                    brand=item["brand"],
                    actor=ACTOR,
                    at=self._now,
                    to=to,
                    kind=kind,
                    why=why,
                    columns=columns,
                )
            )
            item.update(columns)
            if to is not None:
                item["state"] = to.value
            return
        if to is not None:
            lifecycle.allow(ItemState(item["state"]), to)
            columns = columns | {"state": to.value}
        different = [name for name in columns if item[name] != columns[name]]
        before = {name: item[name] for name in different}
        after = {name: columns[name] for name in different}
        subject = str(item["id"])
        self.plan.events.append(
            rows.event_row(item, self._now, kind, subject, before=before, after=after, why=why)
        )
        item.update(columns, version=item["version"] + 1)

    def _note(self, item: Row, classified: Classified, kind: EventKind) -> None:
        mention = classified.mention
        after = {"revision": mention.revision}
        self.plan.events.append(rows.event_row(item, self._now, kind, mention.id, after=after))

    def _snapshot(self, item: Row, classified: Classified) -> None:
        """Show `classified`, of which nothing was known, as the newest of its item."""
        self._patch(item, rows.snapshot(classified))
        self._newest_at[item["id"]] = classified.mention.arrived_at

    def _patch(self, item: Row, columns: Row) -> None:
        item.update(columns)
        if item["id"] not in self._fresh_items:
            self.plan.snapshots.setdefault(item["id"], {}).update(columns)

    def _count(self, classified: Classified) -> None:
        mention, said = classified.mention, classified.classification
        hour = int(mention.arrived_at.timestamp()) // 3600
        topic = said.topics[0].value if said.topics else ""
        key = (mention.brand, hour, mention.source, topic, said.sentiment.value)
        self.plan.volume[key] = self.plan.volume.get(key, 0) + 1

    def _closed(self, item: Row, at: datetime) -> ClosedClock:
        return ClosedClock(
            brand=item["brand"],
            item_id=item["id"],
            metric=item["target"] or "first",
            team=item["team"],
            topic=item["topic"],
            platform=item["platform"],
            started_at=item["clock_started_at"],
            due_at=item["due_at"],
            stopped_at=at,
            history=bool(item["flags"] & ItemFlag.HISTORY),
        )
