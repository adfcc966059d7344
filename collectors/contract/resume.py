"""How a source takes up where it stopped: three strategies that cover every platform.

* `ascend`: the platform gives "the next ones after X" (Jetstream, a file, IMAP, Mastodon);
* `walk_back`: it lists the newest first and pages backwards (X, Reddit, YouTube);
* `compare`: it gives its whole current window each time (feeds, app-store reviews).

Each is a function from the saved cursor and one short fetch to a `Batch`. It keeps nothing:
the same cursor against the same platform gives the same batch, so that a crash anywhere is
harmless. Cursors are versioned JSON that an operator can read and edit.

A first connection takes a recent stretch. Where it begins is written into the first cursor,
before anything is read, and stays there: so a replay finds the same posts to be history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from collectors.contract.cursor_state import CursorState, dated, read_cursor, saved_form
from collectors.contract.source import Batch, Cursor, Gap, Post, Rejected
from earshot.domain import Op

RING = 300
"""How many marks of known rows a cursor holds: three pages of most platforms."""

TAIL = 5
"""How many rows at a page's end must all be known before a walk stops.

Stopping at the first known row loses posts that a platform lists out of order.
"""

MAX_PAGES = 200
"""The longest walk, against a platform whose pages never end."""

MAX_RESTARTS = 3
WINDOW_RING = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a platform's answer. `mark` names it, and changes when the post is edited.

    `found` is None for a row that says nothing about a post: it only moves the cursor.
    """

    mark: str
    found: Post | Rejected | None


def _batch(rows: Sequence[Row], cursor: CursorState, *, more: bool, gap: Gap | None) -> Batch:
    posts = (row.found for row in rows if isinstance(row.found, Post))
    return Batch(
        posts=[dated(post, cursor.since) for post in posts],
        rejected=[row.found for row in rows if isinstance(row.found, Rejected)],
        cursor=saved_form(cursor),
        more=more,
        gap=gap,
    )


# ---------------------------------------------------------------- ascending


class Place(CursorState, frozen=True, kw_only=True):
    """Where an ascending source is.

    `epoch` names the numbering that `position` belongs to (an instance, a file, a
    UIDVALIDITY): positions of different epochs can't be compared. `at` is the platform's
    time at that position, for going on where positions mean nothing any more.
    """

    epoch: str
    position: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a platform gave next: rows with their positions, and the place behind them all."""

    rows: Sequence[tuple[int, Row]]
    place: Place
    more: bool = False
    gap: Gap | None = None


def read_place(cursor: Cursor | None, where: str) -> Place | None:
    """The place in `cursor`; None for the very first poll. Raises BadCursor."""
    return None if cursor is None else read_cursor(Place, cursor, where)


def ascend(
    cursor: Cursor | None,
    fetch: Callable[[Place | None], Stretch],
    *,
    where: str,
    since: datetime | None,
    slack: int = 0,
) -> Batch:
    """The rows after `cursor`. Raises BadCursor, and whatever `fetch` raises.

    `fetch` gets None at the very first poll, and names the place to begin at, without rows: what
    it read already could not be read again. What is older than `since` is history; None is for a
    platform that gives nothing from before that place.

    Rows at or below the position are replays (platforms replay inclusively) and dropped,
    unless they lie within `slack` of it: a platform whose positions arrive out of order
    would lose rows otherwise, and its duplicates are harmless.
    """
    place = read_place(cursor, where)
    got = fetch(place)
    behind = replace(got.place, since=since if place is None else place.since)
    rows = [
        row
        for position, row in got.rows
        if place is None or got.place.epoch != place.epoch or position > place.position - slack
    ]
    return _batch(rows, behind, more=got.more, gap=got.gap)


# ---------------------------------------------------------------- walking back


class Walk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A walk under way: the next page's token, the marks found so far, and how far it is."""

    token: str | None
    head: list[str]
    pages: int
    rows: int
    oldest: datetime | None
    newest: datetime | None
    known: int = 0
    restarts: int = 0
    v: Literal[1] = 1


class Ring(CursorState, frozen=True, kw_only=True):
    """Where a listing was left: marks of the newest known rows, newest first.

    One anchor would not do: it can be deleted, and rows can arrive out of order.
    """

    seen: list[str]
    newest: datetime | None = None
    walk: Walk | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a listing, newest first. `next` is None on the last page."""

    rows: Sequence[Row]
    next: str | None
    gap: Gap | None = None


def read_ring(cursor: Cursor | None, where: str) -> Ring | None:
    """Where the listing was left; None for the very first poll. Raises BadCursor."""
    return None if cursor is None else read_cursor(Ring, cursor, where)


def walk_back(
    cursor: Cursor | None,
    fetch: Callable[[str | None, Sequence[str]], Page],
    *,
    where: str,
    since: datetime,
    window: int,
    listed: int | None = None,
) -> Batch:
    """One page further back, until a page ends in known rows. Raises BadCursor.

    `fetch(token, seen)` gives the page behind `token` (None: the newest), where `seen` are
    the known marks, newest first and the same during one walk. A listing that ends after
    `window` rows or more, none of them known, may have been cut off by the platform: that
    is reported as a gap.

    The first poll only names `since`. The walk after it, in which nothing can be known, goes
    back until a page ends in posts from before; `listed` rows or more that end earlier
    (None: `window`) are a gap.
    """
    if cursor is None:
        return _batch([], Ring(seen=[], since=since, first=True), more=True, gap=None)
    ring = read_cursor(Ring, cursor, where)
    walk = ring.walk or Walk(token=None, head=[], pages=0, rows=0, oldest=None, newest=None)
    page = fetch(walk.token, ring.seen)
    if walk.token and not page.rows and not page.next and walk.restarts < MAX_RESTARTS:
        # The page's anchor was deleted under our feet: walk again, from the newest.
        again = replace(walk, token=None, rows=0, restarts=walk.restarts + 1)
        return _batch([], replace(ring, walk=again), more=True, gap=page.gap)
    known = {*ring.seen, *walk.head}
    fresh = [row for row in page.rows if row.mark not in known]
    ahead = _advance(walk, page, fresh, ring.seen)
    met = _covers(page.rows, ring.since) if ring.first else _met(page.rows, ring.seen)
    if not (met or page.next is None or ahead.pages >= MAX_PAGES):
        return _batch(fresh[::-1], replace(ring, walk=ahead), more=True, gap=page.gap)
    stranded = bool(walk.token) and not page.rows
    most = listed if ring.first and listed is not None else window
    cut = not met and not ahead.known and (ahead.rows >= most or stranded)
    sought = "its first days were covered" if ring.first else "a known post"
    missing = Gap(
        reason=f"{where}: the listing ended before {sought}, after {ahead.rows} rows",
        since=ring.since if ring.first else ring.newest,
        until=ahead.oldest,
    )
    done = Ring(
        seen=list(dict.fromkeys([*ahead.head, *ring.seen]))[:RING],
        newest=_latest(ring.newest, ahead.newest),
        since=ring.since,
    )
    return _batch(fresh[::-1], done, more=False, gap=page.gap or (missing if cut else None))


def _met(rows: Sequence[Row], seen: Sequence[str]) -> bool:
    """True if the page ends in `TAIL` rows that earlier walks have seen."""
    known = set(seen)
    return len(rows) >= TAIL and all(row.mark in known for row in rows[-TAIL:])


def _covers(rows: Sequence[Row], since: datetime | None) -> bool:
    """True if the page's last posts are older than `since`: rows can be out of order."""
    last = [row.found for row in rows if isinstance(row.found, Post)][-TAIL:]
    return bool(last) and since is not None and all(p.published_at < since for p in last)


def _advance(walk: Walk, page: Page, fresh: Sequence[Row], seen: Sequence[str]) -> Walk:
    times = [row.found.published_at for row in page.rows if isinstance(row.found, Post)]
    return replace(
        walk,
        token=page.next,
        head=[*walk.head, *(row.mark for row in fresh)][:RING],
        pages=walk.pages + 1,
        rows=walk.rows + len(page.rows),
        known=walk.known + len({row.mark for row in page.rows} & set(seen)),
        oldest=min(times, default=walk.oldest),
        newest=_latest(walk.newest, max(times, default=None)),
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((time for time in (one, other) if time is not None), default=None)


# ---------------------------------------------------------------- comparing windows


class Digests(CursorState, frozen=True, kw_only=True):
    """What a window held: per post its revision and a digest of its text, oldest first.

    `condition` is the platform's own "has it changed?" token (an ETag, a date).
    """

    posts: dict[str, tuple[int, str]]
    condition: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Everything a platform shows now, oldest first, with its condition for next time."""

    posts: Sequence[Post]
    condition: Mapping[str, str]
    rejected: Sequence[Rejected] = ()


def compare(
    cursor: Cursor | None,
    fetch: Callable[[Mapping[str, str]], Window | None],
    *,
    where: str,
    since: datetime,
) -> Batch:
    """What is new or changed since `cursor`; `fetch` gives None for "not modified".

    The first poll only names `since`: what the first window holds from before is history.
    A window in which nothing is known, though something was known before, may have moved on
    too far: that is reported as a gap. Raises BadCursor.
    """
    if cursor is None:
        return _batch([], Digests(posts={}, condition={}, since=since), more=True, gap=None)
    before = read_cursor(Digests, cursor, where)
    window = fetch(before.condition)
    if window is None:
        return Batch(posts=(), cursor=saved_form(before))
    posts, held = [], dict(before.posts)
    for post in window.posts:
        digest = hashlib.blake2b(post.text.encode(), digest_size=8).hexdigest()
        known = held.pop(post.native_id, None)
        revision = known[0] if known else 0
        if known is None:
            posts.append(post)
        elif known[1] != digest:
            revision += 1
            posts.append(replace(post, op=Op.EDIT, revision=revision))
        held[post.native_id] = (revision, digest)
    posts = [dated(post, before.since) for post in posts]
    moved = (
        window.posts
        and before.posts
        and not any(post.native_id in before.posts for post in window.posts)
    )
    after = Digests(
        posts=dict(list(held.items())[-max(WINDOW_RING, len(window.posts)) :]),
        condition=dict(window.condition),
        since=before.since,
    )
    return Batch(
        posts=posts,
        cursor=saved_form(after),
        rejected=window.rejected,
        gap=Gap(reason=f"{where}: nothing of the last window is left") if moved else None,
    )
