"""Reddit's JSON to posts. Pure.

Things are named by fullnames: `t1_…` a comment, `t3_…` a submission, `t2_…` an account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from collectors.contract.resume import Row
from collectors.contract.source import Post, Rejected, Seen
from collectors.contract.validation import (
    MISREAD,
    clean_id,
    clean_name,
    clean_text,
    clean_url,
    kept_raw,
    mark_of,
)
from earshot.domain import TOMBSTONE, Author, Op
from earshot.items.reply_length import Bound, ReplyLength, Unit

REPLY_LENGTH: ReplyLength = (Bound(unit=Unit.CHARACTERS, limit=10_000),)
"""Of a comment's Markdown: https://www.reddit.com/dev/api/#POST_api_comment (TOO_LONG)."""

_SITE = "https://www.reddit.com"
_GONE = {"[deleted]", "[removed]"}
_NAME = re.compile(r"t[1-6]_[0-9a-z]{1,20}")
_IN_CONTEXT = re.compile(r"/comments/([0-9a-z]+)/")
_DELETED = Author(id="", name="[deleted]")


def rows(listing: Any) -> list[Row]:
    """Every thing of one listing, newest first; one that can't be parsed is a `Rejected`.

    The mark holds the revision: an edited or removed comment is found again as new.
    """
    return [_row(child) for child in listing["data"]["children"]]


def after(listing: Any) -> str | None:
    """The next page's anchor. Raises TypeError where it is none: it would spoil the cursor."""
    anchor = listing["data"]["after"]
    if anchor is not None and not (isinstance(anchor, str) and clean_id(anchor)):
        raise TypeError("after is not the name of a thing")
    return anchor


def _row(child: Any) -> Row:
    thing = child.get("data") if isinstance(child, dict) else None
    name = thing.get("name") if isinstance(thing, dict) else None
    try:
        post = parse(child["data"])
    except MISREAD as error:
        reason = f"not a thing of Reddit: {type(error).__name__} {error}"
        kept = kept_raw(child)
        found = Rejected(raw=kept, reason=reason, native_id=name if isinstance(name, str) else "")
        return Row(mark=mark_of(name, kept), found=found)
    return Row(mark=f"{name}.{post.revision}" if post.revision else str(name), found=post)


def parse(thing: Mapping[str, Any]) -> Post:
    """A comment, a submission or a comment in the inbox. Raises what `MISREAD` names."""
    name: str = thing["name"]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a thing")
    op, revision = _revision(thing)
    bar = _bar(thing)
    return Post(
        native_id=name,
        thread=_thread(thing),
        parent=thing.get("parent_id") or "",
        author=_DELETED if op is Op.DELETE else _author(thing),
        text="" if op is Op.DELETE else text_of(thing),
        url=_address(thing.get("permalink") or thing.get("context")),
        published_at=datetime.fromtimestamp(thing["created_utc"], UTC),
        op=op,
        revision=revision,
        can_reply=not bar,
        reply_bar=bar,
        addressed=bool(thing.get("dest")),  # what came to our inbox names us as its destination
        address={"thing": name},
        # `created_utc` is Reddit's own time: there is no claim to hold a receipt against.
        edited_at=_edited_at(thing) if op is Op.EDIT else None,
    )


def _edited_at(thing: Mapping[str, Any]) -> datetime | None:
    """When Reddit took the edit in; None for one of before 2011, which only says that it was."""
    edited = thing["edited"]
    return None if edited is True else datetime.fromtimestamp(edited, UTC)


def _address(path: object) -> str:
    """The address of a path on Reddit. One without its slash (`@host/…`) would lead elsewhere."""
    return clean_url(_SITE + path) if isinstance(path, str) and path[:1] == "/" else ""


def _revision(thing: Mapping[str, Any]) -> tuple[Op, int]:
    if is_gone(thing):
        return Op.DELETE, TOMBSTONE
    edited = thing.get("edited") or 0
    # Things edited before 2011 say True, where later ones say when (seconds since 1970).
    return (Op.EDIT, int(edited)) if edited else (Op.CREATE, 0)


def is_gone(thing: Mapping[str, Any]) -> bool:
    """True if the author deleted the thing or a moderator removed it."""
    words = thing["body"] if "body" in thing else thing.get("selftext", "")
    return words in _GONE or bool(thing.get("removed_by_category"))


def _thread(thing: Mapping[str, Any]) -> str:
    if thing["name"].startswith("t3_"):
        return str(thing["name"])
    if link := thing.get("link_id"):
        return str(link)
    # The inbox leaves the submission out; only the path of its context names it.
    found = _IN_CONTEXT.search(thing.get("context") or "")
    if not found:
        raise ValueError("neither link_id nor context names the submission")
    return f"t3_{found[1]}"


def _author(thing: Mapping[str, Any]) -> Author:
    name = clean_name(thing.get("author") or "")
    if not name or name in _GONE:
        return _DELETED
    return Author(
        id=thing.get("author_fullname") or f"u/{name}",
        name=name,
        handle=name,
        url=clean_url(f"{_SITE}/user/{name}"),
    )


def text_of(thing: Mapping[str, Any]) -> str:
    """A comment's words, or a submission's title and text."""
    if "body" in thing:
        return clean_text(thing["body"])
    return clean_text("\n\n".join(filter(None, (thing["title"], thing.get("selftext")))))


def _bar(thing: Mapping[str, Any]) -> str:
    if is_gone(thing):
        return "the post is gone"
    if thing.get("locked"):
        return "a moderator locked the thread"
    return "the thread is archived" if thing.get("archived") else ""


def seen(thing: Mapping[str, Any], username: str) -> Seen:
    """A comment as read back."""
    author = thing.get("author") or ""
    return Seen(
        native_id=thing["name"],
        parent=thing["parent_id"],
        text=text_of(thing),
        at=datetime.fromtimestamp(thing["created_utc"], UTC),
        ours=author.casefold() == username.casefold(),
        author=thing.get("author_fullname") or author,
        url=_address(thing.get("permalink")),
    )


def comments_below(listing: Any) -> Iterator[Mapping[str, Any]]:
    """Every comment of a tree, at every depth; `more` stubs are left out."""
    waiting = list(listing["data"]["children"])
    while waiting:
        child = waiting.pop()
        if child["kind"] != "t1":
            continue
        yield child["data"]
        replies = child["data"].get("replies")
        if replies:
            waiting += replies["data"]["children"]
