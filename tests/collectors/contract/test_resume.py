"""The three strategies alone, in thousands of small worlds that behave worse than platforms do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from collectors.contract.cursor_state import BadCursor
from collectors.contract.resume import (
    RING,
    Page,
    Place,
    Row,
    Stretch,
    Window,
    ascend,
    compare,
    walk_back,
)
from collectors.contract.source import Batch, Cursor, Gap, Limit, Post, Rejected, Source
from earshot.domain import Op
from tests.builders import NOON, an_author
from tests.collectors.platforms.conformance import (
    a_first_connection_takes_a_recent_stretch,
    nothing_is_lost,
    outrun_history_is_a_gap,
    polling_again_gives_the_same,
)

PAGE = 10
WORLDS = 1_000
SINCE = NOON - timedelta(days=2)
"""Where the first stretch begins, for a connection that is made at noon."""
WATCHED: Cursor = {"v": 1, "posts": {}, "condition": {}}
"""A window's cursor before anything was seen in it."""


def a_post(native_id: str, text: str = "hi", at: datetime = NOON, **changes: Any) -> Post:
    values = {"thread": native_id, "author": an_author(), "url": "", **changes}
    return Post(native_id=native_id, text=text, published_at=at, **values)


def connected(source: Source) -> Cursor:
    """The cursor behind all that a first connection gives."""
    batch = source.poll("all", None)
    while batch.more:
        batch = source.poll("all", batch.cursor)
    return batch.cursor


class Listing:
    """Newest first, cut off at its end; now and then a row comes late, below newer ones."""

    bursts = (0, 1, 5, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE)
    page = PAGE
    every_edit_is_seen = False

    def __init__(self, seed: int, kept: int = 10_000) -> None:
        self.kept = kept
        self.rows: list[Post] = []
        self._dice = Random(seed)
        self._made = 0

    def source(self) -> Source:
        return ListingSource(self)

    def post(self) -> str:
        self._made += 1
        place = self._dice.randrange(3) if self._dice.random() < 0.1 else 0
        at = NOON + timedelta(seconds=self._made)
        self.rows.insert(place, a_post(str(self._made), at=at))
        del self.rows[self.kept :]
        return str(self._made)

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        self.rows.insert(0, a_post(str(self._made), at=NOON - timedelta(days=days_ago)))
        return str(self._made)

    def edit(self, native_id: str) -> None:
        return None

    def delete(self, native_id: str) -> bool:
        self.rows = [post for post in self.rows if post.native_id != native_id]
        return True

    def outrun(self) -> None:
        self.kept = 4 * PAGE
        for _ in range(self.kept + PAGE):
            self.post()

    def close(self) -> None:
        """Nothing is open."""


class ModelSource:
    platform = "model"
    everything = True
    account = ""
    limits: Sequence[Limit] = ()
    poll_every_s = 0.0
    keeps_history = True

    def parts(self) -> Sequence[str]:
        return ("all",)

    def close(self) -> None:
        """Nothing is open."""


class ListingSource(ModelSource):
    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        return walk_back(
            cursor, self._page, where="listing", since=SINCE, window=PAGE, listed=9_000
        )

    def _page(self, token: str | None, _: Sequence[str]) -> Page:
        rows = self._listing.rows
        ids = [post.native_id for post in rows]
        if token and token not in ids:
            return Page(rows=[], next=None)
        start = ids.index(token) + 1 if token else 0
        page = rows[start : start + PAGE]
        more = start + PAGE < len(rows)
        return Page(
            rows=[Row(mark=post.native_id, found=post) for post in page],
            next=page[-1].native_id if more else None,
        )


class Queue:
    """Ascending positions, replayed inclusively; edits are events of their own."""

    bursts = Listing.bursts
    page = 0
    every_edit_is_seen = True

    def __init__(self, seed: int) -> None:
        self.events: list[Post] = []
        self.floor = 0
        self._made = 0

    def source(self) -> Source:
        return QueueSource(self)

    def post(self) -> str:
        self._made += 1
        self.events.append(a_post(str(self._made)))
        return str(self._made)

    def post_of(self, days_ago: float) -> str:
        self._made += 1
        self.events.append(a_post(str(self._made), at=NOON - timedelta(days=days_ago)))
        return str(self._made)

    def edit(self, native_id: str) -> str:
        revision = len(self.events)
        text = f"edited {revision}"
        self.events.append(a_post(native_id, text, op=Op.EDIT, revision=revision))
        return text

    def delete(self, native_id: str) -> bool:
        return False

    def outrun(self) -> None:
        for _ in range(30):
            self.post()
        self.floor = len(self.events) - 5

    def close(self) -> None:
        """Nothing is open."""


class QueueSource(ModelSource):
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        return ascend(cursor, self._fetch, where="queue", since=None)

    def _fetch(self, place: Place | None) -> Stretch:
        start = place.position if place else 1
        queue = self._queue
        lost = place is not None and start < queue.floor
        start = max(start, queue.floor, 1)
        events = list(enumerate(queue.events, start=1))[start - 1 : start - 1 + PAGE]
        rows = [(number, Row(mark=str(number), found=post)) for number, post in events]
        end = max([number for number, _ in events], default=0)
        behind = Place(epoch="one", position=max(end, place.position if place else 0), at=NOON)
        gap = Gap(reason="the queue forgot") if lost else None
        return Stretch(rows=rows, place=behind, more=end < len(queue.events), gap=gap)


@pytest.mark.parametrize("block", range(4))
@pytest.mark.parametrize("kind", [Listing, Queue])
def test_nothing_is_lost_in_any_world(kind: type[Listing | Queue], block: int) -> None:
    for seed in range(block, WORLDS, 4):
        nothing_is_lost(kind(seed), seed)


def test_a_first_connection_takes_a_recent_stretch_in_any_world() -> None:
    for seed in range(100):
        a_first_connection_takes_a_recent_stretch(Listing(seed), seed)


@pytest.mark.parametrize("kind", [Listing, Queue])
def test_a_cursor_says_all_that_another_process_needs(kind: type[Listing | Queue]) -> None:
    for seed in range(50):
        polling_again_gives_the_same(kind(seed), seed)


@pytest.mark.parametrize("kind", [Listing, Queue])
def test_history_that_ran_out_is_a_gap_that_is_told_once(kind: type[Listing | Queue]) -> None:
    for seed in range(50):
        outrun_history_is_a_gap(kind(seed), seed)


# ---------------------------------------------------------------- walking back


def test_a_walk_does_not_stop_at_the_first_known_row() -> None:
    listing = Listing(seed=0)
    for _ in range(5):
        listing.post()
    source = listing.source()
    cursor = connected(source)
    listing.rows.insert(3, a_post("late"))  # below three known rows
    listing.post()
    batch = source.poll("all", cursor)
    assert {post.native_id for post in batch.posts} == {"late", "6"}


def test_a_gap_names_the_time_that_may_be_missing() -> None:
    listing = Listing(seed=1)
    for _ in range(3):
        listing.post()
    source = listing.source()
    cursor = connected(source)
    known = max(post.published_at for post in listing.rows)
    listing.outrun()
    batch = source.poll("all", cursor)
    while batch.more:
        batch = source.poll("all", batch.cursor)
    assert batch.gap is not None
    assert batch.gap.since == known
    assert batch.gap.until == min(post.published_at for post in listing.rows)


def test_a_short_listing_that_lost_all_its_known_rows_is_no_gap() -> None:
    listing = Listing(seed=2)
    for _ in range(3):
        listing.post()
    source = listing.source()
    cursor = connected(source)
    listing.rows.clear()
    listing.post()
    batch = source.poll("all", cursor)
    assert len(batch.posts) == 1
    assert batch.gap is None


def test_an_anchor_deleted_in_the_middle_of_a_walk_begins_it_again() -> None:
    listing = Listing(seed=3)
    source = listing.source()
    cursor = connected(source)
    made = {listing.post() for _ in range(45)}
    first = source.poll("all", cursor)
    assert first.more
    anchor = str(first.cursor["walk"]["token"])
    listing.delete(anchor)
    batch, posts = first, [*first.posts]
    while batch.more:
        batch = source.poll("all", batch.cursor)
        posts += batch.posts
    assert made - {anchor} <= {post.native_id for post in posts}


def test_a_walk_that_never_finds_its_next_page_ends_with_a_gap() -> None:
    def page(token: str | None, _: Sequence[str]) -> Page:
        rows = [] if token else [Row(mark="1", found=a_post("1"))]
        return Page(rows=rows, next=None if token else "nowhere")

    batch = walk_back({"v": 1, "seen": ["0"]}, page, where="x", since=SINCE, window=100)
    polls = 1
    while batch.more:
        batch = walk_back(batch.cursor, page, where="x", since=SINCE, window=100)
        polls += 1
    assert batch.gap is not None
    assert polls < 10


def test_endless_pages_end_and_the_cursor_stays_small() -> None:
    number = iter(range(10**6))

    def page(token: str | None, _: Sequence[str]) -> Page:
        ids = [str(next(number)) for _ in range(PAGE)]
        return Page(rows=[Row(mark=i, found=a_post(i)) for i in ids], next="again")

    batch = walk_back({"v": 1, "seen": ["known"]}, page, where="x", since=SINCE, window=100)
    while batch.more:
        assert len(json.dumps(batch.cursor)) < 2 * RING * 10 + 500
        batch = walk_back(batch.cursor, page, where="x", since=SINCE, window=100)
    assert batch.gap is not None


def test_rejected_rows_are_handed_on_once() -> None:
    row = Row(mark="bad", found=Rejected(raw=b"{", reason="broken", native_id="bad"))

    def page(token: str | None, _: Sequence[str]) -> Page:
        return Page(rows=[row], next=None)

    first = walk_back({"v": 1, "seen": []}, page, where="x", since=SINCE, window=PAGE)
    assert [rejected.native_id for rejected in first.rejected] == ["bad"]
    assert walk_back(first.cursor, page, where="x", since=SINCE, window=PAGE).rejected == []


# ---------------------------------------------------------------- ascending


def test_positions_of_another_epoch_are_not_compared() -> None:
    def fetch(_: Place | None) -> Stretch:
        rows = [(1, Row(mark="1", found=a_post("1")))]
        return Stretch(rows=rows, place=Place(epoch="new", position=1, at=NOON))

    old = {"v": 1, "epoch": "old", "position": 900, "at": "2026-03-02T12:00:00Z"}
    assert len(ascend(old, fetch, where="x", since=None).posts) == 1
    assert ascend({**old, "epoch": "new"}, fetch, where="x", since=None).posts == []


def test_slack_lets_late_positions_through() -> None:
    def fetch(_: Place | None) -> Stretch:
        rows = [(n, Row(mark=str(n), found=a_post(str(n)))) for n in (80, 95, 101)]
        return Stretch(rows=rows, place=Place(epoch="e", position=101, at=NOON))

    cursor = {"v": 1, "epoch": "e", "position": 100, "at": "2026-03-02T12:00:00Z"}
    batch = ascend(cursor, fetch, where="x", since=None, slack=10)
    assert [post.native_id for post in batch.posts] == ["95", "101"]


# ---------------------------------------------------------------- comparing windows


def windows(*posts: Post) -> Any:
    def fetch(_: Mapping[str, str]) -> Window:
        return Window(posts=posts, condition={"etag": "1"})

    return fetch


def test_a_window_gives_what_is_new_and_what_changed() -> None:
    one, two = a_post("1", "one"), a_post("2", "two")
    first = compare(WATCHED, windows(one, two), where="feed", since=SINCE)
    assert list(first.posts) == [one, two]
    cursor = json.loads(json.dumps(first.cursor))
    edited = replace(one, text="one!")
    second = compare(cursor, windows(edited, two, a_post("3")), where="feed", since=SINCE)
    assert [(p.native_id, p.op, p.revision) for p in second.posts] == [
        ("1", Op.EDIT, 1),
        ("3", Op.CREATE, 0),
    ]
    third = compare(
        second.cursor, windows(replace(one, text="one?"), two), where="feed", since=SINCE
    )
    assert [(p.native_id, p.revision) for p in third.posts] == [("1", 2)]


def test_not_modified_moves_nothing_and_the_condition_is_handed_back() -> None:
    asked = []

    def unchanged(condition: Mapping[str, str]) -> Window | None:
        asked.append(dict(condition))
        return None

    first = compare(WATCHED, windows(a_post("1")), where="feed", since=SINCE)
    second = compare(first.cursor, unchanged, where="feed", since=SINCE)
    assert (list(second.posts), second.cursor) == ([], first.cursor)
    assert asked == [{"etag": "1"}]


def test_a_window_with_nothing_known_is_a_gap() -> None:
    first = compare(WATCHED, windows(a_post("1")), where="feed", since=SINCE)
    assert first.gap is None
    second = compare(first.cursor, windows(a_post("2")), where="feed", since=SINCE)
    assert second.gap is not None
    assert [post.native_id for post in second.posts] == ["2"]


@pytest.mark.parametrize("seed", range(100))
def test_every_post_that_stood_in_a_window_is_given_once_per_text(seed: int) -> None:
    dice = Random(seed)
    stood: set[tuple[str, str]] = set()
    given: list[tuple[str, str]] = []
    cursor: Cursor = WATCHED
    window: dict[str, str] = {}
    for number in range(dice.randrange(5, 40)):
        window[str(number)] = "first"
        if dice.random() < 0.3:
            window[dice.choice(list(window))] = f"edited {number}"
        window = dict(list(window.items())[-8:])
        posts = [a_post(native_id, text) for native_id, text in window.items()]
        if dice.random() < 0.2:
            continue  # nobody looked
        stood |= set(window.items())
        batch = compare(cursor, windows(*posts), where="feed", since=SINCE)
        if dice.random() < 0.2:
            continue  # a crash before anything was published
        given += [(post.native_id, post.text) for post in batch.posts]
        cursor = json.loads(json.dumps(batch.cursor))
        assert set(window.items()) <= set(given)
    assert len(given) == len(set(given))
    assert set(given) <= stood


# ---------------------------------------------------------------- the first connection


def pages_of(*days_ago: float) -> tuple[Callable[[str | None, Sequence[str]], Page], list[str]]:
    """A listing of posts by their age at noon, and the tokens that were asked for."""
    asked: list[str] = []
    posts = [a_post(str(n), at=NOON - timedelta(days=days)) for n, days in enumerate(days_ago)]

    def page(token: str | None, _: Sequence[str]) -> Page:
        asked.append(token or "")
        start = int(token or 0)
        rows = [Row(mark=p.native_id, found=p) for p in posts[start : start + PAGE]]
        return Page(rows=rows, next=str(start + PAGE) if start + PAGE < len(posts) else None)

    return page, asked


def walked(page: Callable[[str | None, Sequence[str]], Page], cursor: Cursor | None) -> list[Batch]:
    """The batches of one walk. The clock goes on: only the first one may look at it."""
    batches: list[Batch] = []
    since = SINCE
    while not batches or batches[-1].more:
        cursor = batches[-1].cursor if batches else cursor
        batches.append(walk_back(cursor, page, where="x", since=since, window=100, listed=25))
        since += timedelta(hours=1)
    return batches


def test_a_first_walk_goes_back_until_its_days_are_covered_and_no_further() -> None:
    page, asked = pages_of(*[0.5] * 15, *[250] * 300)
    batches = walked(page, None)
    posts = [post for batch in batches for post in batch.posts]
    assert asked == ["", "10"]
    assert sorted((int(post.native_id), post.history) for post in posts) == [
        (number, number >= 15) for number in range(20)
    ]
    assert all(batch.gap is None for batch in batches)


def test_what_the_first_walk_calls_history_is_the_same_in_a_replay() -> None:
    page, _ = pages_of(1.99, 2.0, 2.01, 3)
    named = walk_back(None, page, where="x", since=SINCE, window=100)
    assert (list(named.posts), named.more) == ([], True)
    for hours in (0, 1, 900):  # the process died, and came back much later
        later = SINCE + timedelta(hours=hours)
        batch = walk_back(named.cursor, page, where="x", since=later, window=100)
        assert [(p.native_id, p.history) for p in batch.posts] == [
            ("3", True),
            ("2", True),
            ("1", False),
            ("0", False),
        ]


def test_a_first_walk_that_the_platform_cut_off_is_a_gap() -> None:
    page, _ = pages_of(*[0.5] * 30)
    [*_, last] = walked(page, None)
    assert last.gap is not None
    assert (last.gap.since, last.gap.until) == (SINCE, NOON - timedelta(days=0.5))
    page, _ = pages_of(*[0.5] * 24)
    assert walked(page, None)[-1].gap is None


def test_a_source_that_was_away_for_weeks_comes_back_to_work_and_not_to_history() -> None:
    page, _ = pages_of(*[20] * 5)
    *_, last = walked(page, None)
    assert all(post.history for post in last.posts)
    later, _ = pages_of(*[-30] * 5)
    replies = [replace(post, native_id=f"n{post.native_id}") for post in _rows(later)]

    def page_after(token: str | None, seen: Sequence[str]) -> Page:
        return Page(rows=[Row(mark=p.native_id, found=p) for p in replies], next=None)

    [batch] = walked(page_after, last.cursor)
    assert len(batch.posts) == 5
    assert not any(post.history for post in batch.posts)


def _rows(page: Callable[[str | None, Sequence[str]], Page]) -> list[Post]:
    return [row.found for row in page(None, ()).rows if isinstance(row.found, Post)]


def test_a_cursor_of_before_knows_no_history() -> None:
    page, _ = pages_of(0.5, 250)
    batch = walk_back({"v": 1, "seen": ["x"]}, page, where="x", since=SINCE, window=100)
    assert [post.history for post in batch.posts] == [False, False]
    assert not {"since", "first"} & batch.cursor.keys()


def test_an_old_post_that_is_edited_now_is_no_history() -> None:
    old = NOON - timedelta(days=250)
    edited = a_post("1", at=old, op=Op.EDIT, revision=1, edited_at=NOON)
    claimed = a_post("2", at=old, received_at=NOON)

    def page(token: str | None, _: Sequence[str]) -> Page:
        return Page(rows=[Row(mark=p.native_id, found=p) for p in (edited, claimed)], next=None)

    *_, batch = walked(page, None)
    assert [post.history for post in batch.posts] == [False, False]


def test_a_first_window_and_a_first_file_name_their_days_before_they_are_read() -> None:
    new, old = a_post("1"), a_post("2", at=NOON - timedelta(days=3))
    named = compare(None, windows(old, new), where="feed", since=SINCE)
    assert (list(named.posts), named.more) == ([], True)
    later = SINCE + timedelta(days=400)
    batch = compare(named.cursor, windows(old, new), where="feed", since=later)
    assert [(p.native_id, p.history) for p in batch.posts] == [("2", True), ("1", False)]

    def fetch(place: Place | None) -> Stretch:
        rows = [(n, Row(mark=str(n), found=post)) for n, post in enumerate((old, new), start=1)]
        at = Place(epoch="e", position=2 if place else 0, at=NOON)
        return Stretch(rows=rows if place else (), place=at)

    named = ascend(None, fetch, where="x", since=SINCE)
    batch = ascend(named.cursor, fetch, where="x", since=later)
    assert [(p.native_id, p.history) for p in batch.posts] == [("2", True), ("1", False)]
    assert ascend(batch.cursor, fetch, where="x", since=later).cursor == batch.cursor


# ---------------------------------------------------------------- cursors


@pytest.mark.parametrize(
    "cursor",
    [
        {},
        {"v": 2, "seen": []},
        {"v": 1, "seen": "no list"},
        {"v": 1, "seen": [], "extra": 1},
        {"v": 1, "epoch": "e", "position": "far", "at": "2026-03-02T12:00:00Z"},
        {"v": 1, "posts": {"1": [0]}, "condition": {}},
    ],
)
def test_a_cursor_that_cannot_be_read_says_what_to_do(cursor: dict[str, Any]) -> None:
    def never(*_: object) -> Any:
        raise AssertionError("a bad cursor must be found before the platform is asked")

    strategies: tuple[Callable[[], Batch], ...] = (
        lambda: walk_back(cursor, never, where="reddit comments", since=SINCE, window=1),
        lambda: ascend(cursor, never, where="reddit comments", since=SINCE),
        lambda: compare(cursor, never, where="reddit comments", since=SINCE),
    )
    for strategy in strategies:
        with pytest.raises(BadCursor, match=r"reddit comments: .* Correct it, or") as caught:
            strategy()
        assert caught.value.permanent


def test_cursors_are_versioned_and_readable() -> None:
    listing = Listing(seed=4)
    listing.post()
    cursor = json.loads(json.dumps(connected(listing.source())))
    assert cursor["v"] == 1
    assert cursor["seen"] == ["1"]
    assert datetime.fromisoformat(cursor["newest"]).tzinfo is not None
    assert datetime.fromisoformat(cursor["newest"]).astimezone(UTC) == NOON + timedelta(seconds=1)
