"""A conversation as the desk shows it: their posts and our replies, and who the author is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.lists.item_pages import ItemLine, columns, line_of
from dashboard.thread.audit import names_of
from earshot.database.tables import ItemRow, MentionRow, ReplyRow
from earshot.domain import ReplyState

POSTS = 100
DATED_BACK = timedelta(minutes=10)
"""By so much may a post's own date lie before the platform had it: clocks differ, phones wait."""
HISTORY = 10

NEVER_SENT = (ReplyState.WITHDRAWN,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """A post of theirs in the thread.

    `at` is when it arrived; `dated` is the date that its author gave it instead, if that is long
    before.
    """

    mention_id: str
    revision: int
    at: datetime
    author: str
    handle: str
    text: str
    lang: str
    url: str
    edited: bool
    deleted: bool
    can_reply: bool
    reply_bar: str
    newest: bool
    dated: datetime | None
    classification: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OurReply:
    """A reply of ours in the thread, whatever became of it."""

    id: int
    at: datetime
    author: str
    text: str
    state: str
    error: str
    url: str
    not_before: datetime | None
    leased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier mention by the same author."""

    item_id: int
    at: datetime
    text: str
    item_state: str
    answered: bool


def item_of(session: Session, brand: str, item_id: int) -> ItemLine | None:
    """The item, if it belongs to the brand."""
    row = session.execute(
        select(*columns()).where(ItemRow.id == item_id, ItemRow.brand == brand)
    ).first()
    return None if row is None else line_of(row)


def conversation(session: Session, brand: str, item_id: int) -> list[Post | OurReply]:
    """The newest 100 posts and replies of a thread, in the order of time."""
    mentions = session.scalars(
        select(MentionRow)
        .where(MentionRow.item_id == item_id, MentionRow.brand == brand)
        .order_by(MentionRow.arrived_at.desc(), MentionRow.id.desc())
        .limit(POSTS)
    ).all()
    replies = session.scalars(
        select(ReplyRow)
        .where(
            ReplyRow.item_id == item_id,
            ReplyRow.brand == brand,
            ReplyRow.state.not_in(NEVER_SENT),
        )
        .order_by(ReplyRow.id.desc())
        .limit(POSTS)
    ).all()
    names = names_of(session, {reply.person_id for reply in replies})
    posts: list[Post | OurReply] = [
        _post(mention, newest=number == 0) for number, mention in enumerate(mentions)
    ]
    posts += [_ours(reply, names) for reply in replies]
    return sorted(posts, key=lambda post: post.at)[-POSTS:]


def _post(mention: MentionRow, *, newest: bool) -> Post:
    return Post(
        mention_id=mention.id,
        revision=mention.revision,
        at=mention.arrived_at,
        author=mention.author_name or mention.author_handle or mention.author_id,
        handle=mention.author_handle,
        text=mention.text,
        lang=_lang(mention.classification),
        url=mention.url,
        edited=mention.revision > 0 and not mention.deleted,
        deleted=mention.deleted,
        can_reply=mention.can_reply,
        reply_bar=mention.reply_bar,
        newest=newest,
        dated=_dated_back(mention),
        classification=mention.classification,
    )


def _dated_back(mention: MentionRow) -> datetime | None:
    early = mention.arrived_at - mention.published_at > DATED_BACK
    return mention.published_at if early else None


def _lang(classification: dict[str, Any]) -> str:
    value = classification.get("lang", {}).get("value", "")
    return value if value != "und" else ""


def _ours(reply: ReplyRow, names: dict[int, str]) -> OurReply:
    return OurReply(
        id=reply.id,
        at=reply.confirmed_at or reply.sent_at or reply.created_at,
        author=names.get(reply.person_id, ""),
        text=reply.text,
        state=reply.state,
        error=reply.error,
        url=reply.url,
        not_before=reply.not_before,
        leased=bool(reply.lease_owner),
    )


def newest_post(posts: Iterable[Post | OurReply]) -> Post | None:
    """The newest post of theirs: what a reply answers."""
    return next((post for post in posts if isinstance(post, Post) and post.newest), None)


def history(session: Session, brand: str, item: ItemLine) -> list[Earlier]:
    """The author's newest ten mentions outside this thread."""
    rows = session.execute(
        select(
            MentionRow.item_id,
            MentionRow.published_at,
            MentionRow.text,
            ItemRow.state,
            ItemRow.answered_at,
        )
        .join(ItemRow, ItemRow.id == MentionRow.item_id)
        .where(
            MentionRow.brand == brand,
            MentionRow.platform == item.platform,
            MentionRow.author_id == item.author_id,
            MentionRow.item_id != item.id,
        )
        .order_by(MentionRow.published_at.desc())
        .limit(HISTORY)
    )
    return [
        Earlier(
            item_id=row.item_id,
            at=row.published_at,
            text=row.text[:140],
            item_state=row.state,
            answered=row.answered_at is not None,
        )
        for row in rows
    ]
