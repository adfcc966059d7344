"""X's JSON to posts, and whether X lets us answer them. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from collectors.contract.resume import Row
from collectors.contract.source import Post, Rejected, Seen
from collectors.contract.validation import (
    LANG_LIMIT,
    MISREAD,
    REACH_LIMIT,
    clean_name,
    clean_text,
    clean_url,
    kept_raw,
    mark_of,
    utc_time,
)
from earshot.domain import Author, Op
from earshot.items.reply_length import Bound, ReplyLength, Unit

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

REPLY_LENGTH: ReplyLength = (
    Bound(
        unit=Unit.WEIGHTED,
        limit=280,
        link=23,
        light=((0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037)),
    ),
)
"""https://docs.x.com/fundamentals/counting-characters, and the version 3 of twitter-text's
configuration that it names."""

_DIGITS = 19
_TITLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,.'()-]{0,99}")
_OF_SINGLE_THINGS = frozenset(
    {
        "disallowed-resource",
        "field-hydration-failure",
        "field-unauthorized",
        "not-authorized-for-field",
        "not-authorized-for-resource",
        "resource-not-found",
        "resource-unavailable",
    }
)
"""Problems of X (the ends of their types) that are about single posts, users and fields."""

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


def trouble(answer: Any) -> str:
    """Why an answer of 200 holds nothing that was asked for, in X's own title; or nothing.

    X answers so where a plan or a request as a whole is at fault. That single posts, users or
    fields can't be shown is no trouble: the rest is there.
    """
    if not isinstance(answer, dict):
        return "not an answer of X"
    if answer.get("data"):
        return ""
    errors = _dicts(answer.get("errors"))
    grave = [error for error in errors if _name(error) not in _OF_SINGLE_THINGS]
    if grave:
        title = grave[0].get("title")
        plain = isinstance(title, str) and _TITLE.fullmatch(title)
        return str(title) if plain else _name(grave[0]) or "an error without a title"
    count = _dict(answer.get("meta")).get("result_count")
    return "" if errors or count == 0 else "neither posts nor errors in the answer"


def _name(error: Mapping[str, Any]) -> str:
    """The last part of a problem's type, which is an address."""
    name = str(error.get("type", "")).rpartition("/")[2]
    return name if _TITLE.fullmatch(name) else ""


def rows(answer: Mapping[str, Any], us: Account) -> list[Row]:
    """Every post of one answer; one that can't be parsed is a `Rejected`.

    What is `included` beside the posts says more about them: it is left out where it is flawed.
    """
    included = _dict(answer.get("includes"))
    users = {user["id"]: user for user in _dicts(included.get("users")) if is_id(user.get("id"))}
    posts = [*_dicts(included.get("tweets")), *_dicts(included.get("posts"))]
    referenced = {post["id"]: post for post in posts if is_id(post.get("id"))}
    return [_row(raw, users, referenced, us) for raw in answer.get("data") or ()]


def _row(raw: Any, users: Mapping[str, Any], referenced: Mapping[str, Any], us: Account) -> Row:
    native_id = raw.get("id") if isinstance(raw, dict) else None
    try:
        return Row(mark=str(native_id), found=parse(raw, users, referenced, us))
    except MISREAD as error:
        reason = f"not a post of X: {type(error).__name__} {error}"
        kept = kept_raw(raw)
        found = Rejected(raw=kept, reason=reason, native_id=native_id if is_id(native_id) else "")
        return Row(mark=mark_of(native_id, kept), found=found)


def parse(
    raw: Mapping[str, Any], users: Mapping[str, Any], referenced: Mapping[str, Any], us: Account
) -> Post:
    """One post object of API v2 with its includes by id. Raises what `MISREAD` names.

    An edit is a post of its own on X, with a new id: all versions share the first id, and
    the revision counts them. `address["tweet"]` is the version to answer. X is renaming its
    fields (`referenced_posts`, `note_post`): both names are read.
    """
    version, author_id = raw["id"], raw["author_id"]
    if not (is_id(version) and is_id(author_id)):
        raise ValueError(f"id {version!r} of author {author_id!r}: 1 to 19 digits are an id")
    history = _history(raw, version)
    revision = history.index(version) if version in history else len(history) - 1
    author = _author(author_id, _dict(users.get(author_id)))
    bar = reply_bar(raw, referenced, us)
    thread = raw.get("conversation_id")
    return Post(
        native_id=history[0],
        thread=thread if is_id(thread) else history[0],
        parent=_reference(raw, "replied_to"),
        author=author,
        text=text_of(raw),
        url=f"https://x.com/{author.handle or 'i'}/status/{version}",
        published_at=utc_time(raw["created_at"]),
        op=Op.EDIT if revision else Op.CREATE,
        revision=revision,
        lang=_lang(raw.get("lang", "")),
        can_reply=not bar,
        reply_bar=bar,
        addressed=not bar,  # X lets an app answer those alone who named or quoted the account
        address={"tweet": version},
        received_at=receipt(history[0]),
        edited_at=receipt(version) if revision else None,
    )


def is_id(value: object) -> TypeGuard[str]:
    """Whether this is an id of X: 1 to 19 digits, in a string."""
    return isinstance(value, str) and len(value) <= _DIGITS and value.isascii() and value.isdigit()


def _history(raw: Mapping[str, Any], version: str) -> Sequence[str]:
    value = raw.get("edit_history_tweet_ids") or raw.get("edit_history_post_ids")
    history = [one for one in value if is_id(one)] if isinstance(value, list) else []
    return history or [version]


def _author(author_id: str, user: Mapping[str, Any]) -> Author:
    handle = clean_name(_text(user.get("username")))
    followers = _dict(user.get("public_metrics")).get("followers_count")
    return Author(
        id=author_id,
        name=clean_name(_text(user.get("name"))) or handle or author_id,
        handle=handle,
        reach=followers if type(followers) is int and 0 <= followers <= REACH_LIMIT else 0,
        url=clean_url(f"https://x.com/{handle}") if handle else "",
    )


def _reference(raw: Mapping[str, Any], kind: str) -> str:
    for one in _dicts(raw.get("referenced_tweets") or raw.get("referenced_posts")):
        if one.get("type") == kind and is_id(value := one.get("id")):
            return value
    return ""


def _dict(value: object) -> Mapping[str, Any]:
    """An optional part of an answer; nothing where it is no object."""
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> Sequence[Mapping[str, Any]]:
    """The objects of an optional list; what else is in it is left out."""
    return (
        [one for one in value if isinstance(one, dict)] if value and isinstance(value, list) else ()
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _lang(value: object) -> str:
    code = _text(value)
    if len(code) > LANG_LIMIT or not (code.isascii() and code.replace("-", "").isalnum()):
        return ""
    # X uses old codes for three languages, and q.. codes for "no words in it".
    return {"iw": "he", "in": "id", "ji": "yi", "und": ""}.get(
        code, "" if code[:1] == "q" else code
    )


def _long_form(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """The text and entities of a post of more than 280 characters, whose short form is cut."""
    return _dict(raw.get("note_tweet") or raw.get("note_post"))


def _entities(raw: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    """The entities of both forms: each lists only what is in its own text."""
    found = _dicts(_dict(raw.get("entities")).get(kind))
    if long := _long_form(raw):
        found = [*_dicts(_dict(long.get("entities")).get(kind)), *found]
    return found


def text_of(raw: Mapping[str, Any]) -> str:
    """The whole text as a reader sees it: long form, real links, no HTML entities.

    Raises KeyError and TypeError.
    """
    value = _text(_long_form(raw).get("text")) or raw["text"]
    if not isinstance(value, str):
        raise TypeError(f"text is {type(value).__name__}")
    text = html.unescape(value)  # before links are put in: those are not escaped
    for link in _entities(raw, "urls"):
        short, expanded = _text(link.get("url")), clean_url(_text(link.get("expanded_url")))
        if short and expanded:
            text = text.replace(short, expanded)
    return clean_text(text)


def reply_bar(raw: Mapping[str, Any], referenced: Mapping[str, Any], us: Account) -> str:
    """Why X refuses our reply to this post, or the empty string.

    Since 2026-02-23 an app may reply only where the author summoned the account: he
    mentioned it, or quoted one of its posts (X developer guidelines, "Replies").
    """
    if raw["author_id"] == us.id:
        return "this is a post of our own account"
    if _reference(raw, "retweeted"):
        return "a repost can't be answered"
    handle = us.handle.casefold()
    for named in _entities(raw, "mentions"):
        if named.get("id") == us.id or _text(named.get("username")).casefold() == handle:
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
