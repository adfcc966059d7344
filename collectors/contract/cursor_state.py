"""What every cursor holds, how it is read and written, and what a first connection leaves in it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeVar

import msgspec
from msgspec.structs import replace

from collectors.contract.source import Cursor, PlatformError, Post


class BadCursor(PlatformError):
    """A saved cursor can't be read; only an operator can say where to go on."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(
            f"{where}: the saved cursor can't be read ({reason}). Correct it, or delete it to "
            "begin again as at a first connection",
            permanent=True,
        )


class CursorState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every cursor holds.

    `since` is where the first stretch began; None where the first connection kept no such time.
    `first` is true until that stretch has been read.
    """

    v: Literal[1] = 1
    since: datetime | None = None
    first: bool = False


C = TypeVar("C", bound=CursorState)


def dated(post: Post, since: datetime | None) -> Post:
    """`post`, marked as history if the platform had all of it before `since`."""
    if since is None or post.published_at >= since or post.newest_at >= since:
        return post
    return replace(post, history=True)


def saved_form(cursor: CursorState) -> dict[str, Any]:
    """`cursor` as JSON. What it does not use is left out, so that older versions read it."""
    saved: dict[str, Any] = msgspec.to_builtins(cursor)
    unused = [name for name in ("since", "first") if not saved[name]]
    return {name: value for name, value in saved.items() if name not in unused}


def read_cursor(kind: type[C], cursor: Cursor, where: str) -> C:
    """`cursor` as it was saved. Raises BadCursor."""
    try:
        return msgspec.convert(dict(cursor), kind)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BadCursor(where, str(error)) from error
