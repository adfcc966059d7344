"""What a detail pane shows of one item: read once, handed to the template as a value."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from dashboard.frame.app_context import Viewer, app_context
from dashboard.lists.item_pages import ItemLine
from dashboard.thread import audit, conversation
from dashboard.thread.conversation import Earlier, OurReply, Post


@dataclass(frozen=True, slots=True, kw_only=True)
class Pane:
    """`topics` are what the brand's file knows; `holder` is the name of who holds the item."""

    item: ItemLine
    posts: tuple[Post | OurReply, ...]
    newest: Post | None
    history: tuple[Earlier, ...]
    topics: tuple[str, ...]
    holder: str


def pane(session: Session, who: Viewer, item_id: int) -> Pane | None:
    """The pane of an item of the brand in view; None when there is no such item."""
    item = conversation.item_of(session, who.brand, item_id)
    if item is None:
        return None
    posts = conversation.conversation(session, who.brand, item_id)
    names = audit.names_of(session, [item.assignee_id] if item.assignee_id else [])
    brand = app_context().brands.get(who.brand)
    known = tuple(brand.topics) if brand else ()
    return Pane(
        item=item,
        posts=tuple(posts),
        newest=conversation.newest_post(posts),
        history=tuple(conversation.history(session, who.brand, item)),
        topics=known if item.topic in known or not item.topic else (*known, item.topic),
        holder=names.get(item.assignee_id or 0, ""),
    )
