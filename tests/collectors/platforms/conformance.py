"""The conformance kit: what every source must hold, whatever happens around it.

A source passes by being named: write a `World` for its platform and add it to the list in
`test_conformance.py`. The kit plays random worlds against it: bursts of posts, full pages,
edits, deletions of what the cursor stands on, and a crash at every step of the shell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from collectors.contract.source import Batch, Gap, PlatformError, Post, Source

_TRIES = 400


class World(Protocol):
    """A platform as the kit drives it: things happen in it, and a source looks on."""

    @property
    def bursts(self) -> Sequence[int]:
        """How many posts may come at once: the page's size is one, and one beside it."""

    @property
    def page(self) -> int:
        """The most posts of one answer; 0 where a first connection begins with what comes next."""

    @property
    def every_edit_is_seen(self) -> bool:
        """False where the platform can't show an edit of an older post."""

    def source(self) -> Source:
        """A new source on this world, as after a restart. Its first part is looked at."""

    def post(self) -> str:
        """A new post, of now; its native id."""

    def post_of(self, days_ago: float) -> str:
        """A post that the platform took in so long ago, older than all that there are."""

    def edit(self, native_id: str) -> str | None:
        """Change a post; its new text, or None where posts can't be changed."""

    def delete(self, native_id: str) -> bool:
        """Take a post away; False where posts can't be."""

    def outrun(self) -> None:
        """Let so much happen that the platform no longer shows what came after the cursor."""

    def close(self) -> None: ...


def _dice(seed: int) -> Random:
    return Random(seed)


class Crash(Exception):
    """The process died here."""


@dataclass
class Shell:
    """What the collecting shell does, with a crash wherever the dice say so."""

    world: World
    dice: Random
    crash: float
    cursor: str = "null"
    published: list[Post] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.world.source()

    def step(self) -> Batch | None:
        """One poll; None where it ended in a crash, and a new process begins."""
        try:
            return self._step()
        except Crash:
            self.source.close()
            self.source = self.world.source()
            return None

    def _step(self) -> Batch | None:
        self._maybe_crash()
        batch = self._poll()
        if batch is None:
            return None
        saved = json.dumps(batch.cursor)  # a cursor is JSON
        self._publish(batch.posts)
        if batch.gap:
            self.gaps.append(batch.gap)
        self._maybe_crash()
        self.cursor = saved
        self._maybe_crash()
        return batch

    def _publish(self, posts: Sequence[Post]) -> None:
        died = self.dice.random() < self.crash
        count = self.dice.randrange(len(posts) + 1) if died else len(posts)
        self.published += posts[:count]
        if died:
            raise Crash

    def _poll(self) -> Batch | None:
        try:
            return self.source.poll(self.source.parts()[0], json.loads(self.cursor))
        except PlatformError as error:
            if error.permanent:
                raise
            return None  # a dropped stream: the shell polls again

    def _maybe_crash(self) -> None:
        if self.dice.random() < self.crash:
            raise Crash

    def drain(self) -> None:
        """Poll until twice in a row nothing more waits."""
        quiet = 0
        for _ in range(_TRIES):
            batch = self.step()
            settled = batch is not None and not batch.more and not batch.posts
            quiet = quiet + 1 if settled else 0
            if quiet == 2:
                return
        raise AssertionError(f"the source never came to rest in {_TRIES} polls")

    def close(self) -> None:
        self.source.close()


def nothing_is_lost(world: World, seed: int) -> None:
    """Every post that is still there was published, whatever crashed; and no gap was cried."""
    dice = _dice(seed)
    for _ in range(1 + dice.choice(world.bursts)):  # where nothing is known, a gap may be cried
        world.post()
    shell = Shell(world, dice, crash=dice.choice([0.0, 0.02, 0.2]))
    while json.loads(shell.cursor) is None:
        shell.step()
    alive, texts = _live(world, shell, dice)
    shell.crash = 0.0
    shell.drain()
    shell.close()
    published = {post.native_id: post for post in shell.published}
    missing = alive - published.keys()
    assert not missing, f"seed {seed}: lost {len(missing)} of {len(alive)} posts"
    assert not shell.gaps, f"seed {seed}: {shell.gaps}"
    _duplicates_are_harmless(shell.published)
    if world.every_edit_is_seen:
        newest = {p.native_id: p for p in sorted(shell.published, key=lambda p: p.revision)}
        for native_id, text in texts.items():
            if native_id in alive:
                assert newest[native_id].text == text, f"seed {seed}: an edit was lost"


def _live(world: World, shell: Shell, dice: Random) -> tuple[set[str], dict[str, str]]:
    """Things happen while the shell polls: who is alive in the end, and with what text."""
    alive: set[str] = set()
    texts: dict[str, str] = {}
    recent: list[str] = []
    for _ in range(dice.randrange(3, 8)):
        burst = [world.post() for _ in range(dice.choice(world.bursts))]
        alive |= set(burst)
        recent = [*recent, *burst][-30:]
        for native_id in dice.sample(recent, min(len(recent), dice.randrange(3))):
            if world.delete(native_id):
                recent.remove(native_id)
                alive.discard(native_id)
        for native_id in dice.sample(recent, min(len(recent), dice.randrange(3))):
            text = world.edit(native_id)
            if text is not None:
                texts[native_id] = text
        for _ in range(dice.randrange(4)):
            shell.step()
    return alive, texts


def _duplicates_are_harmless(published: Sequence[Post]) -> None:
    """What is published twice under one natural key says the same both times."""
    said: dict[tuple[str, int], Post] = {}
    for post in published:
        first = said.setdefault((post.native_id, post.revision), post)
        assert (post.op, post.text, post.thread) == (first.op, first.text, first.thread)
        assert post.history == first.history, "a replay changes what is promised"


def a_first_connection_takes_a_recent_stretch(world: World, seed: int) -> None:
    """Posts from before the first days are history, the others are not, whatever crashes.

    Where a platform pages, the walk ends with the page that leads out of the first days.
    """
    dice = _dice(seed)
    old = {world.post_of(days) for days in range(250, 3, -1)}
    recent = {world.post_of(days) for days in (1.9, 1.0, 0.1)}
    shell = Shell(world, dice, crash=dice.choice([0.0, 0.1, 0.3]))
    while json.loads(shell.cursor) is None:
        shell.step()
    shell.crash = 0.0
    shell.drain()
    later = {world.post() for _ in range(3)}
    shell.drain()
    shell.close()
    given = {post.native_id: post.history for post in shell.published}
    marked = {native_id for native_id, history in given.items() if history}
    assert marked <= old, f"seed {seed}: {len(marked - old)} posts of now are history"
    assert given.keys() - marked >= later, f"seed {seed}: a post of now was lost"
    assert not (given.keys() - marked) & old, f"seed {seed}: something old counts as of now"
    if world.page:
        assert given.keys() >= recent, f"seed {seed}: a recent post was left out"
        assert len(marked) <= world.page, f"seed {seed}: walked back for {len(marked)} old posts"
    assert not shell.gaps, f"seed {seed}: {shell.gaps}"
    _duplicates_are_harmless(shell.published)


def polling_again_gives_the_same(world: World, seed: int) -> None:
    """A cursor is complete: from it, another process reads the same posts."""
    dice = _dice(seed)
    shell = Shell(world, dice, crash=0.0)
    shell.drain()
    for _ in range(max(world.bursts)):
        world.post()
    shell.close()
    reads = []
    for _ in range(2):
        again = Shell(world, dice, crash=0.0, cursor=shell.cursor)
        again.drain()
        again.close()
        reads.append([(post.native_id, post.revision, post.text) for post in again.published])
    assert len(reads[0]) >= max(world.bursts)
    assert reads[0] == reads[1]


def outrun_history_is_a_gap(world: World, seed: int) -> None:
    """Where the platform forgot what we had not read, the user is told; and once only."""
    shell = Shell(world, _dice(seed), crash=0.0)
    for _ in range(3):
        world.post()
    shell.drain()
    assert not shell.gaps
    shell.close()
    world.outrun()
    late = Shell(world, _dice(seed), crash=0.0, cursor=shell.cursor)
    late.drain()
    assert len(late.gaps) == 1
    late.drain()
    late.close()
    assert len(late.gaps) == 1
    assert late.gaps[0].reason
