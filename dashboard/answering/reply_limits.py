"""How long a reply may be: what the collector of the mention's source wrote down."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from earshot.database.tables import MentionRow, SourceHealthRow
from earshot.items import reply_length
from earshot.items.reply_length import ReplyLength


def length_for(session: Session, brand: str, mention_id: str) -> ReplyLength:
    """How long a reply to this mention may be; the fallback while its source has not said.

    The same for a mention that is not there.
    """
    saved = session.scalar(
        select(SourceHealthRow.reply_length)
        .join(
            MentionRow,
            (MentionRow.brand == SourceHealthRow.brand)
            & (MentionRow.source == SourceHealthRow.source),
        )
        .where(MentionRow.brand == brand, MentionRow.id == mention_id)
    )
    return reply_length.read(saved)
