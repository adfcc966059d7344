"""The simulated world and platform: the same for ever, as unruly as promised, and honest."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from collectors.contract.source import (
    Answer,
    Cursor,
    Outcome,
    PlatformError,
    Post,
    Refused,
    Sent,
    Unknown,
)
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.people import TROLL, crowd
from collectors.platforms.simulator.phrases import (
    LANGUAGES,
    TOPICAL,
    WANTS_ANSWER,
    Kind,
    sentences,
    topics,
)
from collectors.platforms.simulator.responder import SimulatorResponder
from collectors.platforms.simulator.source import Simulator
from collectors.platforms.simulator.world import BLOCK, SPIKE_FIRST, SPIKE_LENGTH, Said, World
from earshot.domain import TEXT_LIMIT, TOMBSTONE, Op
from tests.builders import NOON

FREE = SimulatorConfig(rate=0, count=3000)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "simulator.sqlite"


@pytest.fixture
def simulator(store: Path, clock: Clock) -> Iterator[Callable[..., Simulator]]:
    opened: list[Simulator] = []

    def open_source(config: SimulatorConfig = FREE, **changes: object) -> Simulator:
        opened.append(Simulator(with_(config, **changes), store, clock))
        return opened[-1]

    yield open_source
    for source in opened:
        source.close()


@pytest.fixture
def responder(store: Path, clock: Clock) -> Iterator[Callable[..., SimulatorResponder]]:
    opened: list[SimulatorResponder] = []

    def open_responder(config: SimulatorConfig = FREE, **changes: object) -> SimulatorResponder:
        opened.append(SimulatorResponder(with_(config, **changes), store, clock))
        return opened[-1]

    yield open_responder
    for each in opened:
        each.close()


def with_(config: SimulatorConfig, **changes: object) -> SimulatorConfig:
    return replace(config, **changes)


def drained(source: Simulator, part: str = "p0", cursor: Cursor | None = None) -> list[Post]:
    posts: list[Post] = []
    more = True
    while more:
        batch = source.poll(part, cursor)
        posts += batch.posts
        cursor, more = batch.cursor, batch.more
    return posts


def world(**changes: object) -> World:
    return World(with_(SimulatorConfig(), **changes), 0)


def an_answer(post: Post, key: str = "k1", text: str = "We are on it.") -> Answer:
    return Answer(key=key, parent=post.native_id, thread=post.thread, text=text, since=NOON)


def answerable(posts: list[Post]) -> list[Post]:
    """Posts that stand, unlocked, when all of `posts` have happened."""
    gone = {post.native_id for post in posts if post.op is Op.DELETE}
    first = {post.native_id: post for post in reversed(posts) if post.op is Op.CREATE}
    return [p for p in reversed(first.values()) if p.can_reply and p.native_id not in gone]


# ---------------------------------------------------------------- the world


@pytest.fixture(scope="module")
def events() -> list[Said]:
    everything = world()
    return [everything.said(index) for index in range(12_000)]


@given(seed=st.integers(0, 2**31 - 1), indices=st.lists(st.integers(0, 5000), max_size=12))
@settings(deadline=None, max_examples=40)
def test_an_event_does_not_depend_on_what_was_asked_before(seed: int, indices: list[int]) -> None:
    asked_at_random = world(seed=seed)
    for index in indices:
        assert asked_at_random.said(index) == world(seed=seed).said(index)


def test_another_seed_is_another_world(events: list[Said]) -> None:
    other = world(seed=8)
    assert sum(other.said(i).text == events[i].text for i in range(500)) < 50


@given(
    seed=st.integers(0, 2**31 - 1),
    duplicate=st.floats(0, 0.1),
    edit=st.floats(0, 0.2),
    delete=st.floats(0, 0.2),
)
@settings(deadline=None, max_examples=30)
def test_every_change_is_about_an_earlier_post_that_still_stood(
    seed: int, duplicate: float, edit: float, delete: float
) -> None:
    changing = world(seed=seed, duplicate=duplicate, edit=edit, delete=delete)
    revisions: dict[int, int] = {}
    for index in range(6 * BLOCK):
        said = changing.said(index)
        if said.op is Op.CREATE:
            first = revisions.setdefault(said.post, 0) == 0 and said.post == index
            assert first or said.post < index
        else:
            assert revisions[said.post] < TOMBSTONE
            assert said.revision == (
                TOMBSTONE if said.op is Op.DELETE else revisions[said.post] + 1
            )
            revisions[said.post] = said.revision
        assert said.parent < said.post
        assert said.parent == -1 or said.parent in revisions
        assert said.root in revisions


@given(seed=st.integers(0, 2**31 - 1), end=st.integers(1, 5 * BLOCK))
@settings(deadline=None, max_examples=30)
def test_what_stands_is_what_the_events_so_far_add_up_to(seed: int, end: int) -> None:
    changing = world(seed=seed, duplicate=0.05, edit=0.15, delete=0.15)
    stands: dict[int, Said] = {}
    gone = set()
    for said in map(changing.said, range(end)):
        if said.op is Op.DELETE:
            del stands[said.post]
            gone.add(said.post)
        elif said.post in gone:
            assert said.op is Op.CREATE  # delivered again, too late
        elif said.post not in stands or said.revision > stands[said.post].revision:
            stands[said.post] = said
    for post in range(end + 5):
        assert changing.standing(post, end) == stands.get(post)


def test_below_a_post_stand_its_replies_at_every_depth(events: list[Said]) -> None:
    everything = world()
    by_root = Counter(said.root for said in events[:2000] if said.parent >= 0)
    root, _ = by_root.most_common(1)[0]
    end = 2500
    expected = [
        said
        for index in range(root + 1, end)
        if (said := everything.standing(index, end)) is not None and said.root == root
    ]
    assert len(expected) > 3
    assert list(everything.below(root, end)) == expected


def test_the_shares_are_as_promised(events: list[Said]) -> None:
    total = len(events)
    posts = [said for index, said in enumerate(events) if said.post == index]
    ops = Counter(said.op for said in events)
    langs = Counter(said.lang for said in posts)
    wanting = sum(said.kind in WANTS_ANSWER for said in posts) / len(posts)
    silent = sum("acme" not in said.text.lower() for said in posts) / len(posts)
    again = sum(s.op is Op.CREATE and s.post != index for index, s in enumerate(events))

    assert ops[Op.EDIT] / total == pytest.approx(0.02, abs=0.006)
    assert ops[Op.DELETE] / total == pytest.approx(0.01, abs=0.004)
    assert again / total == pytest.approx(0.02, abs=0.006)
    assert langs["en"] / len(posts) == pytest.approx(0.70, abs=0.03)
    assert wanting == pytest.approx(0.30, abs=0.03)
    assert silent == pytest.approx(0.10, abs=0.02)
    assert sum(said.late_s > 0 for said in posts) / len(posts) == pytest.approx(0.025, abs=0.01)


def test_threads_have_replies_at_several_depths(events: list[Said]) -> None:
    depths: dict[int, int] = {}
    for said in (said for index, said in enumerate(events) if said.post == index):
        depths[said.post] = depths[said.parent] + 1 if said.parent >= 0 else 0
        assert said.lang == events[said.root].lang
    counted = Counter(depths.values())
    assert counted[0] > counted[1] > counted[2] > counted[3] > 0


def test_an_outage_is_a_burst_of_similar_complaints(events: list[Said]) -> None:
    def reports(stretch: list[Said]) -> int:
        return sum(said.kind is Kind.SPIKE for said in stretch)

    assert reports(events[SPIKE_FIRST : SPIKE_FIRST + SPIKE_LENGTH]) > 0.7 * SPIKE_LENGTH
    assert reports(events[:SPIKE_FIRST]) == 0


def test_every_insult_comes_from_the_troll_who_repeats_himself(events: list[Said]) -> None:
    insults = [said for said in events if said.kind is Kind.INSULT and said.text]
    assert {said.author for said in insults} == {TROLL}
    assert len({said.text for said in insults}) < len(insults) / 2


def test_hundreds_of_people_write_and_few_of_them_are_heard() -> None:
    people = [author for lang in LANGUAGES for author in crowd(7, lang)]
    reach = sorted(author.reach for author in people)
    names = "".join(author.name for author in people)
    assert len({author.id for author in people}) == len(people) >= 400
    assert min(reach) >= 0
    assert reach[len(reach) // 2] < 100
    assert reach[-1] > 100_000
    for letter in "éלع山🦊":
        assert letter in names


@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_language_has_its_own_sentences_about_the_same_topics(lang: str) -> None:
    pools = {
        (kind, topic): sentences(lang, kind, topic)
        for kind in Kind
        for topic in topics(kind) or ("",)
    }
    distinct = {sentence for pool in pools.values() for sentence in pool}
    assert len(distinct) > (1500 if lang == "en" else 500)
    for (kind, _), pool in pools.items():
        named = ["acme" in sentence.lower() for sentence in pool]
        assert not any(named) if kind is Kind.ELSEWHERE else all(named)
        assert not any("{" in sentence or "}" in sentence for sentence in pool)
    assert {kind for kind in Kind if topics(kind)} == TOPICAL


# ---------------------------------------------------------------- the source


@given(sizes=st.lists(st.integers(1, 400), min_size=1, max_size=6), restart=st.booleans())
@settings(deadline=None, max_examples=25)
def test_the_posts_are_the_same_whatever_the_batches_and_restarts(
    sizes: list[int], tmp_path_factory: pytest.TempPathFactory, *, restart: bool
) -> None:
    path = tmp_path_factory.mktemp("world") / "store"
    config = with_(FREE, count=1000)
    source = Simulator(config, path, Clock())
    at_once = drained(source)
    source.close()

    in_pieces: list[Post] = []
    cursor: Cursor | None = None
    more, polls = True, 0
    source = Simulator(with_(config, batch=sizes[0]), path, Clock())
    while more:
        if restart:
            source.close()
            source = Simulator(with_(config, batch=sizes[polls % len(sizes)]), path, Clock())
        batch = source.poll("p0", cursor)
        in_pieces += batch.posts
        cursor, more, polls = batch.cursor, batch.more, polls + 1
    source.close()
    assert in_pieces == at_once
    assert len(at_once) == 1000


def test_a_saved_cursor_replays_the_same_posts(simulator: Callable[..., Simulator]) -> None:
    first = simulator().poll("p0", None)
    second = simulator().poll("p0", first.cursor)
    assert simulator().poll("p0", first.cursor) == second
    assert second.cursor == {"v": 1, "at": 1000, "replies": 0}


def test_each_id_and_revision_is_one_post_and_times_are_aware(
    simulator: Callable[..., Simulator],
) -> None:
    config = with_(FREE, parts=3, count=4001)
    seen: dict[tuple[str, int], Post] = {}
    delivered = 0
    for part in simulator(config).parts():
        for post in drained(simulator(config), part):
            delivered += 1
            assert seen.setdefault((post.native_id, post.revision), post) == post
            assert len(post.text) <= TEXT_LIMIT
            assert post.published_at.utcoffset() == timedelta(0)
            assert (post.op is Op.DELETE) == (post.text == "")
    assert delivered == 4001
    assert len(seen) < delivered


def test_an_edit_keeps_the_time_of_its_post_and_some_posts_come_late(
    simulator: Callable[..., Simulator],
) -> None:
    posts = drained(simulator())
    first = {post.native_id: post for post in posts if post.op is Op.CREATE}
    edits = [post for post in posts if post.op is Op.EDIT]
    assert edits
    for edit in edits:
        original = first[edit.native_id]
        assert edit.published_at == original.published_at
        assert edit.text.startswith(original.text)
        assert edit.text != original.text
        assert edit.edited_at is not None
        assert edit.edited_at > edit.published_at
    times = [post.published_at for post in posts if post.op is Op.CREATE]
    assert times != sorted(times)


def test_the_first_look_finds_a_backlog_and_then_the_pace_holds(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    source = simulator(SimulatorConfig(rate=2))
    first = source.poll("p0", None)
    assert 40 <= len(first.posts) <= 41
    assert not first.more
    assert max(post.published_at for post in first.posts) <= clock.now
    assert source.poll("p0", first.cursor).posts == []
    clock.pass_s(5)
    assert len(source.poll("p0", first.cursor).posts) == 10


def test_a_restart_goes_on_at_the_same_times(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    source = simulator(SimulatorConfig(rate=2))
    cursor = source.poll("p0", None).cursor
    clock.pass_s(10)
    before = source.poll("p0", cursor)
    source.close()
    assert simulator(SimulatorConfig(rate=2)).poll("p0", cursor) == before


def test_after_a_long_pause_only_the_last_minute_is_caught_up(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    source = simulator(SimulatorConfig(rate=2))
    first = source.poll("p0", None)
    clock.pass_s(12 * 3600)
    caught_up = source.poll("p0", first.cursor)
    assert len(caught_up.posts) == pytest.approx(120, abs=2)
    fresh = [p for p in caught_up.posts if int(p.native_id.split("-")[2]) >= len(first.posts)]
    assert min(p.published_at for p in fresh) > clock.now - timedelta(seconds=60 + 1100)
    replayed = source.poll("p0", None)
    assert replayed.posts[: len(first.posts)] == first.posts


def test_rewinding_the_cursor_is_no_pause(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    source = simulator(SimulatorConfig(rate=20))
    cursor: Cursor | None = None
    posts: list[Post] = []
    for _ in range(12):
        batch = source.poll("p0", cursor)
        posts += batch.posts
        cursor = batch.cursor
        clock.pass_s(20)
    assert drained(source)[: len(posts)] == posts


def test_a_new_speed_begins_now_and_leaves_the_past_alone(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    first = simulator(SimulatorConfig(rate=2)).poll("p0", None)
    clock.pass_s(10)
    faster = simulator(SimulatorConfig(rate=100))
    assert len(faster.poll("p0", first.cursor).posts) == 1
    clock.pass_s(1)
    assert len(faster.poll("p0", first.cursor).posts) == 101
    assert faster.poll("p0", None).posts[: len(first.posts)] == first.posts


def test_a_lost_store_goes_on_from_the_cursor(
    simulator: Callable[..., Simulator], clock: Clock
) -> None:
    source = simulator(SimulatorConfig(rate=2))
    cursor = {"v": 1, "at": 5000, "replies": 0}
    batch = source.poll("p0", cursor)
    assert len(batch.posts) == 41
    clock.pass_s(1)
    assert len(source.poll("p0", batch.cursor).posts) == 2


def test_the_world_ends_after_its_count(simulator: Callable[..., Simulator], clock: Clock) -> None:
    source = simulator(SimulatorConfig(rate=2, count=45))
    cursor = source.poll("p0", None).cursor
    for _ in range(3):
        clock.pass_s(3600)
        batch = source.poll("p0", cursor)
        cursor = batch.cursor
    assert cursor["at"] == 45
    assert not batch.more


@pytest.mark.parametrize(
    "cursor",
    [
        {},
        {"v": 2, "at": 0, "replies": 0},
        {"v": 1, "at": -1, "replies": 0},
        {"v": 1, "at": "5", "replies": 0},
        {"v": 1, "at": 5},
    ],
)
def test_a_cursor_that_makes_no_sense_is_refused_with_an_example(
    cursor: Cursor, simulator: Callable[..., Simulator]
) -> None:
    with pytest.raises(PlatformError, match='"at": 0') as caught:
        simulator().poll("p0", cursor)
    assert caught.value.permanent


def test_an_unknown_part_is_refused(simulator: Callable[..., Simulator]) -> None:
    with pytest.raises(PlatformError, match="no part 'p9', only p0"):
        simulator().poll("p9", None)


def test_a_store_of_another_world_is_refused(simulator: Callable[..., Simulator]) -> None:
    simulator()
    with pytest.raises(PlatformError, match="seed 7, not 8"):
        simulator(seed=8)


def test_a_store_that_is_no_database_is_named(
    simulator: Callable[..., Simulator], store: Path
) -> None:
    store.write_text("something else, and long enough to be read as a header" * 10)
    with pytest.raises(PlatformError, match=str(store)):
        simulator()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"sped": 3}, "sped"),
        ({"rate": -1}, "rate"),
        ({"refuse": 1.5}, "refuse"),
        ({"languages": {"tlh": 1.0}}, "tlh"),
        ({"languages": {"en": 0.0}}, "weigh 0"),
        ({"edit": 0.4, "delete": 0.4}, "at most 0.5"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        msgspec.convert(settings, SimulatorConfig)


# ---------------------------------------------------------------- answering


def test_a_reply_stands_in_the_right_thread(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder], clock: Clock
) -> None:
    post = next(post for post in answerable(drained(simulator())) if post.parent)
    platform = responder()
    sent = platform.send(an_answer(post))
    assert isinstance(sent, Sent)
    clock.pass_s(platform.settle_s)
    thread = platform.read(an_answer(post))
    (ours,) = [seen for seen in thread.posts if seen.ours]
    assert not thread.gone
    assert (ours.native_id, ours.parent, ours.text) == (
        sent.native_id,
        post.native_id,
        "We are on it.",
    )
    assert thread.text.startswith(post.text)


def test_the_platform_has_no_idempotency(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder], clock: Clock
) -> None:
    post = answerable(drained(simulator()))[0]
    platform = responder(follow_up=0.0)
    platform.send(an_answer(post))
    platform.send(an_answer(post))
    clock.pass_s(platform.settle_s)
    assert sum(seen.ours for seen in platform.read(an_answer(post)).posts) == 2


def test_what_was_refused_never_shows_and_what_got_lost_shows_after_settling(
    simulator: Callable[..., Simulator],
    responder: Callable[..., SimulatorResponder],
    clock: Clock,
    store: Path,
) -> None:
    platform = responder(
        refuse=0.3, lose_request=0.2, lose_answer=0.3, late_visibility_s=5.0, follow_up=0.0
    )
    outcomes: dict[str, Outcome] = {}
    posts = answerable(drained(simulator()))[:200]
    for number, post in enumerate(posts):
        answer = an_answer(post, key=str(number), text=f"answer {number}")
        outcomes[answer.text] = platform.send(answer)
    early = {s.text for post in posts for s in platform.read(an_answer(post)).posts if s.ours}
    clock.pass_s(platform.settle_s)
    shown = Counter(
        seen.text
        for post in posts
        for seen in platform.read(an_answer(post)).posts
        if seen.ours and seen.parent == post.native_id
    )
    with sqlite3.connect(store) as truth:
        stored = [text for (text,) in truth.execute("SELECT text FROM reply")]
        fates = dict(truth.execute("SELECT 'answer ' || key, outcome FROM attempt"))
    truth.close()

    assert shown == Counter(stored)
    assert early < set(stored)
    for text, outcome in outcomes.items():
        assert shown[text] == (fates[text] in {"taken", "answer_lost"})
        match outcome:
            case Sent():
                assert fates[text] == "taken"
            case Refused(permanent=permanent):
                assert not permanent
                assert fates[text] == "refused"
            case Unknown():
                assert fates[text] in {"request_lost", "answer_lost"}
    assert set(fates.values()) == {"taken", "refused", "request_lost", "answer_lost"}


def test_the_same_attempts_meet_the_same_fate(tmp_path: Path) -> None:
    def fates(path: Path) -> list[type]:
        config = with_(FREE, refuse=0.3, lose_answer=0.3)
        source, platform = (
            Simulator(config, path, Clock()),
            SimulatorResponder(config, path, Clock()),
        )
        posts = answerable(drained(source))[:50]
        outcomes = [type(platform.send(an_answer(post))) for post in posts]
        source.close()
        platform.close()
        return outcomes

    assert fates(tmp_path / "one") == fates(tmp_path / "two")


def test_a_deleted_or_locked_post_takes_no_reply(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder]
) -> None:
    posts = drained(simulator())
    platform = responder()
    deleted = next(post for post in posts if post.op is Op.DELETE)
    locked = next(post for post in posts if not post.can_reply and post.op is Op.CREATE)
    assert platform.read(an_answer(deleted)).gone
    for post in (deleted, locked, replace(posts[0], native_id="7-0-999999")):
        outcome = platform.send(an_answer(post))
        assert isinstance(outcome, Refused)
        assert outcome.permanent


def test_an_edit_before_the_answer_can_be_read(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder]
) -> None:
    posts = drained(simulator())
    gone = {post.native_id for post in posts if post.op is Op.DELETE}
    last = {post.native_id: post.text for post in posts if post.op is Op.EDIT}
    edited = next(name for name in last if name not in gone)
    answer = an_answer(next(post for post in posts if post.native_id == edited))
    assert responder().read(answer).text == last[edited]


def test_a_reply_to_a_post_that_was_deleted_meanwhile_can_still_be_found(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder], clock: Clock
) -> None:
    config = SimulatorConfig(rate=50, delete=0.2, follow_up=0.0)
    source, platform = simulator(config), responder(config)
    first = source.poll("p0", None)
    later = World(config, 0)
    doomed = {s.post for s in map(later.said, range(400)) if s.op is Op.DELETE}
    post = next(p for p in first.posts if int(p.native_id.split("-")[2]) in doomed and p.can_reply)
    assert isinstance(platform.send(an_answer(post)), Sent)
    clock.pass_s(8)
    thread = platform.read(an_answer(post))
    assert thread.gone
    assert [seen.text for seen in thread.posts if seen.ours] == ["We are on it."]


def test_authors_write_back_in_the_thread_and_only_once(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder], clock: Clock
) -> None:
    source, platform = simulator(follow_up=0.5), responder(follow_up=0.5)
    first = source.poll("p0", None)
    cursor = {**first.cursor, "at": 3000}
    posts = {post.native_id: post for post in answerable(list(first.posts))}
    asked = {}
    for post in list(posts.values())[:100]:
        sent = platform.send(an_answer(post))
        if isinstance(sent, Sent):
            asked[sent.native_id] = post
    assert source.poll("p0", cursor).posts == []
    clock.pass_s(30)
    batch = source.poll("p0", cursor)
    assert 30 < len(batch.posts) < 70
    for written in batch.posts:
        post = asked[written.parent]
        assert (written.author, written.thread) == (post.author, post.thread)
        assert written.published_at <= clock.now
        assert "acme" in written.text.lower()
        assert written.native_id in {s.native_id for s in platform.read(an_answer(post)).posts}
    assert source.poll("p0", cursor).posts == batch.posts
    assert source.poll("p0", batch.cursor).posts == []

    again = platform.send(an_answer(batch.posts[0], key="k2", text="And now?"))
    assert isinstance(again, Sent)


def test_follow_ups_come_through_the_part_of_their_thread(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder], clock: Clock
) -> None:
    config = with_(FREE, parts=2, follow_up=1.0)
    source, platform = simulator(config), responder(config)
    post = answerable(list(source.poll("p1", None).posts))[0]
    platform.send(an_answer(post))
    clock.pass_s(60)
    end = {"v": 1, "at": 1500, "replies": 0}
    assert source.poll("p0", end).posts == []
    assert [p.thread for p in source.poll("p1", end).posts] == [post.thread]


def test_a_store_that_fails_while_sending_is_an_unknown_outcome(
    simulator: Callable[..., Simulator], responder: Callable[..., SimulatorResponder]
) -> None:
    post = answerable(drained(simulator()))[0]
    platform = responder()
    platform.close()
    assert isinstance(platform.send(an_answer(post)), Unknown)


def _send_many(store: Path, post: Post, name: str, count: int) -> None:
    platform = SimulatorResponder(FREE, store, Clock())
    for number in range(count):
        platform.send(an_answer(post, key=f"{name}{number}"))
    platform.close()


def test_two_processes_and_a_source_use_one_store_at_once(
    simulator: Callable[..., Simulator], store: Path
) -> None:
    source = simulator(follow_up=0.0)
    post = answerable(drained(source))[0]
    spawn = multiprocessing.get_context("spawn")
    senders = [
        spawn.Process(target=_send_many, args=(store, post, name, 60)) for name in ("a", "b")
    ]
    for sender in senders:
        sender.start()
    cursor: Cursor = {"v": 1, "at": 3000, "replies": 0}
    while any(sender.is_alive() for sender in senders):
        cursor = source.poll("p0", cursor).cursor
    for sender in senders:
        sender.join()
        assert sender.exitcode == 0
    with sqlite3.connect(store) as truth:
        keys = {key for (key,) in truth.execute("SELECT key FROM reply")}
    truth.close()
    assert keys == {f"{name}{number}" for name in "ab" for number in range(60)}
