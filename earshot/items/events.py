"""The kinds of events: what may happen, and what each kind means. Values only."""

from __future__ import annotations

from collections.abc import Mapping

from earshot.domain import ItemState, ReplyState, Vocabulary


class EventKind(Vocabulary):
    """What an event says has happened: what it is about, then what became of it.

    Stored in `event.kind`; a table may hold kinds of other releases, too.
    """

    ITEM_NEW = "item.new", "An item went into triage."
    ITEM_QUEUED = "item.queued", "An item went into its team's queue."
    ITEM_ASSIGNED = "item.assigned", "A person gave an item to a responder."
    ITEM_ANSWERING = "item.answering", "A responder began to write the answer."
    ITEM_AWAITING_APPROVAL = "item.awaiting_approval", "An answer began to wait for approval."
    ITEM_SENDING = "item.sending", "An answer to an item is on its way."
    ITEM_ANSWERED = "item.answered", "An item was answered."
    ITEM_CLOSED = "item.closed", "Work on an item ended."
    ITEM_SNOOZED = "item.snoozed", "An item was set aside until a time."
    ITEM_DISMISSED = "item.dismissed", "An item was found to need no answer."
    ITEM_EXPIRED = "item.expired", "An item grew too old to be worth an answer."
    ITEM_WOKEN = "item.woken", "A snoozed item came back when its time was over."
    ITEM_ESCALATED = "item.escalated", "An item went back into triage because it fell due."
    ITEM_REOPENED = "item.reopened", "Its author wrote again after the item had ended."
    ITEM_UNDONE = "item.undone", "A person took their last decision about an item back."
    ITEM_KEPT = "item.kept", "A reply ended, but its item had moved on and stayed as it was."

    MENTION_NEW = "mention.new", "A mention arrived: it opened an item or belongs to one."
    MENTION_EDITED = "mention.edited", "The author edited a mention."
    MENTION_DELETED = "mention.deleted", "A mention was deleted on the platform."

    LABEL_CORRECTED = "label.corrected", "A person corrected what the classifier had said."

    ASSIGNMENT_OFFERED = "assignment.offered", "An item was offered to a responder."
    ASSIGNMENT_ACCEPTED = "assignment.accepted", "A responder accepted an offer."
    ASSIGNMENT_RELEASED = "assignment.released", "An item went from its responder to the queue."

    REPLY_QUEUED = "reply.queued", "A person sent a reply, or it waits to be tried again."
    REPLY_SENDING = "reply.sending", "The sender began to send a reply."
    REPLY_SENT = "reply.sent", "The platform took a reply."
    REPLY_CONFIRMED = "reply.confirmed", "The sender read a reply back from the platform."
    REPLY_UNKNOWN = "reply.unknown", "The sender doesn't know whether a reply arrived."
    REPLY_FAILED = "reply.failed", "A reply could not be sent."
    REPLY_WITHDRAWN = "reply.withdrawn", "A person took a reply back before it was sent."
    REPLY_SEEN_OUTSIDE = "reply.seen_outside", "The brand answered on the platform itself."

    SOURCE_HEALTH = "source.health", "A source began to fail, or works again."
    SOURCE_GAP = "source.gap", "A source may have missed posts."

    DEAD_LETTER_RETRY_WANTED = (
        "dead_letter.retry_wanted",
        "A person had a dead letter retried.",
    )
    DEAD_LETTER_DROPPED = "dead_letter.dropped", "A person gave a dead letter up."

    PERSON_ADDED = "person.added", "A person was given an account."
    PERSON_CHANGED = "person.changed", "Somebody's roles, teams or skills were changed."
    PERSON_DISABLED = "person.disabled", "An account was disabled."
    PERSON_ENABLED = "person.enabled", "An account was enabled again."
    PERSON_PASSWORD = "person.password", "A person changed their password."
    PERSON_DUTY = "person.duty", "A person went on duty or off duty."

    CREDENTIAL_SET = "credential.set", "A credential was stored."
    CREDENTIAL_REMOVED = "credential.removed", "A credential was removed."
    CREDENTIAL_ROTATED = "credential.rotated", "A credential was sealed with another key."

    PURGE_HELD = "purge.held", "Purging stopped because the clock can't be believed."
    PURGE_CONFIRMED = "purge.confirmed", "A person confirmed the clock: purging goes on."
    PURGE_ITEMS = "purge.items", "Items were deleted because their time was over."
    PURGE_LETTERS = "purge.letters", "Dead letters were deleted because their time was over."
    PURGE_AUTHOR = "purge.author", "What an author wrote was deleted at their request."


ENTERED: Mapping[ItemState, EventKind] = {
    ItemState.NEW: EventKind.ITEM_NEW,
    ItemState.QUEUED: EventKind.ITEM_QUEUED,
    ItemState.ASSIGNED: EventKind.ITEM_ASSIGNED,
    ItemState.ANSWERING: EventKind.ITEM_ANSWERING,
    ItemState.AWAITING_APPROVAL: EventKind.ITEM_AWAITING_APPROVAL,
    ItemState.SENDING: EventKind.ITEM_SENDING,
    ItemState.ANSWERED: EventKind.ITEM_ANSWERED,
    ItemState.CLOSED: EventKind.ITEM_CLOSED,
    ItemState.SNOOZED: EventKind.ITEM_SNOOZED,
    ItemState.DISMISSED: EventKind.ITEM_DISMISSED,
    ItemState.EXPIRED: EventKind.ITEM_EXPIRED,
}
"""The kind of a change that says no more than which state the item has now."""

SENDER_WROTE: Mapping[ReplyState, EventKind] = {
    ReplyState.QUEUED: EventKind.REPLY_QUEUED,
    ReplyState.SENDING: EventKind.REPLY_SENDING,
    ReplyState.SENT: EventKind.REPLY_SENT,
    ReplyState.CONFIRMED: EventKind.REPLY_CONFIRMED,
    ReplyState.UNKNOWN: EventKind.REPLY_UNKNOWN,
    ReplyState.FAILED: EventKind.REPLY_FAILED,
}
"""The kind of event by which the sender notes a reply's new state."""
