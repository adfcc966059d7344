"""X's JSON to posts, and whether X lets us answer them. Pure."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from collectors.bounds import RAW_LIMIT, clean_name, clean_text, clean_url, utc_time
from collectors.resume import Row
from collectors.source import Post, Rejected, Seen
from earshot.domain import Author, Op

# X answers with id and text only, unless everything is asked for by name.
POST_FIELDS = [
    "author_id",
    "conversation_id",
    "created_at",
    "edit_history_tweet_ids",
    "entities",
    "in_reply_to_user_id",
    "lang",
    "note_tweet",
    "referenced_tweets",
    "reply_settings",
]
USER_FIELDS = ["name", "public_metrics", "username"]
EXPANSIONS = ["author_id", "referenced_tweets.id"]

_SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
_SNOWFLAKE_SHIFT = 22
_FIRST_SNOWFLAKE = 29_700_859_247
"""Before November 2010 ids were counted, and hold no time."""


@dataclass(frozen=True, slots=True)
class Account:
    """Our own account: its numeric id and its handle without the @."""

    id: str
    handle: str


def time_of(post_id: str) -> datetime:
    """When a post with this id was made: X's ids hold the time in milliseconds."""
    milliseconds = (int(post_id) >> _SNOWFLAKE_SHIFT) + _SNOWFLAKE_EPOCH_MS
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def receipt(post_id: str) -> datetime | None:
    """When X took a post in, by the time in its id; None for an id that holds no time."""
    try:
        return time_of(post_id) if int(post_id) >= _FIRST_SNOWFLAKE else None
    except (OverflowError, ValueError, OSError):  # not a number, or none of this age
        return None


def rows(answer: Mapping[str, Any], us: Account) -> list[Row]:
    """Every post of one answer; one that can't be parsed is a `Rejected`."""
    includes = answer.get("includes") or {}
    users = {user["id"]: user for user in includes.get("users", ())}
    referenced = {post["id"]: post for post in includes.get("tweets", ())}
    return [_row(raw, users, referenced, us) for raw in answer.get("data") or ()]


def _row(raw: Any, users: Mapping[str, Any], referenced: Mapping[str, Any], us: Account) -> Row:
    mark = str(raw.get("id", "")) if isinstance(raw, dict) else ""
    try:
        return Row(mark=mark, found=parse(raw, users, referenced, us))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"not a post of X: {type(error).__name__} {error}"
        kept = msgspec.json.encode(raw)[:RAW_LIMIT]
        return Row(mark=mark, found=Rejected(raw=kept, reason=reason, native_id=mark))


def parse(
    raw: Mapping[str, Any], users: Mapping[str, Any], referenced: Mapping[str, Any], us: Account
) -> Post:
    """One post object of API v2 with its includes by id. Raises KeyError and the like.

    An edit is a post of its own on X, with a new id: all versions share the first id, and
    the revision counts them. `address["tweet"]` is the version to answer.
    """
    history: Sequence[str] = raw.get("edit_history_tweet_ids") or [raw["id"]]
    revision = history.index(raw["id"]) if raw["id"] in history else len(history) - 1
    author = _author(raw["author_id"], users.get(raw["author_id"], {}))
    bar = reply_bar(raw, referenced, us)
    return Post(
        native_id=history[0],
        thread=raw.get("conversation_id") or history[0],
        parent=_reference(raw, "replied_to"),
        author=author,
        text=text_of(raw),
        url=f"https://x.com/{author.handle or 'i'}/status/{raw['id']}",
        published_at=utc_time(raw["created_at"]),
        op=Op.EDIT if revision else Op.CREATE,
        revision=revision,
        lang=_lang(raw.get("lang", "")),
        can_reply=not bar,
        reply_bar=bar,
        addressed=not bar,  # X lets an app answer those alone who named or quoted the account
        address={"tweet": raw["id"]},
        received_at=receipt(history[0]),
        edited_at=receipt(raw["id"]) if revision else None,
    )


def _author(id: str, user: Mapping[str, Any]) -> Author:
    handle = clean_name(user.get("username", ""))
    return Author(
        id=id,
        name=clean_name(user.get("name", "")) or handle or id,
        handle=handle,
        reach=int((user.get("public_metrics") or {}).get("followers_count", 0)),
        url=f"https://x.com/{handle}" if handle else "",
    )


def _reference(raw: Mapping[str, Any], kind: str) -> str:
    found = (r["id"] for r in raw.get("referenced_tweets") or () if r.get("type") == kind)
    return next(found, "")


def _lang(code: str) -> str:
    # X uses old codes for three languages, and q.. codes for "no words in it".
    return {"iw": "he", "in": "id", "ji": "yi", "und": ""}.get(
        code, "" if code[:1] == "q" else code
    )


def text_of(raw: Mapping[str, Any]) -> str:
    """The whole text as a reader sees it: long form, real links, no HTML entities."""
    long = raw.get("note_tweet") or {}
    entities = long.get("entities") or raw.get("entities") or {}
    text = str(long.get("text") or raw["text"])
    for link in entities.get("urls") or ():
        expanded = clean_url(link.get("expanded_url") or "")
        if expanded:
            text = text.replace(link["url"], expanded)
    return clean_text(html.unescape(text))


def reply_bar(raw: Mapping[str, Any], referenced: Mapping[str, Any], us: Account) -> str:
    """Why X refuses our reply to this post, or the empty string.

    Since 2026-02-23 an app may reply only where the author summoned the account: he
    mentioned it, or quoted one of its posts (X developer guidelines, "Replies").
    """
    if raw["author_id"] == us.id:
        return "this is a post of our own account"
    if _reference(raw, "retweeted"):
        return "a repost can't be answered"
    mentions = (raw.get("entities") or {}).get("mentions") or ()
    handle = us.handle.casefold()
    if any(m.get("id") == us.id or m.get("username", "").casefold() == handle for m in mentions):
        return ""
    quoted = referenced.get(_reference(raw, "quoted"), {})
    if quoted.get("author_id") == us.id:
        return ""
    return "X lets an app reply only to who mentioned or quoted the account; answer there by hand"


def seen(raw: Mapping[str, Any], us: Account) -> Seen:
    """A post of a thread as read back. The handles X puts before our reply are taken off."""
    ours = raw["author_id"] == us.id
    text = text_of(raw)
    if ours:
        words = text.split(" ")
        while len(words) > 1 and words[0].startswith("@"):
            words.pop(0)
        text = " ".join(words)
    return Seen(
        native_id=raw["id"],
        parent=_reference(raw, "replied_to"),
        text=text,
        at=utc_time(raw["created_at"]),
        ours=ours,
        author=raw["author_id"],
        url=f"https://x.com/i/status/{raw['id']}",
    )
