"""The ground truth: what the simulated platform gave, and what stands on it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import msgspec

from collectors.matching.matching import compile_queries
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.platform import SimulatedPlatform
from collectors.platforms.simulator.source import Simulator
from collectors.platforms.simulator.store import SimulatedStore
from earshot import brand as brands
from earshot.domain import Op
from tests.system import ROOT

SOURCE = "world"
BRAND = "acme"


@dataclass(frozen=True)
class Truth:
    """What the world said that names the brand: newest revision by mention, and deletions."""

    revisions: dict[str, int]
    deleted: frozenset[str]


@dataclass(frozen=True)
class World:
    """A world of `posts` events, `rate` of them a second, that loses answers now and then.

    `home` is the platform's own folder: its store must not suffer from our full disk.
    """

    home: Path
    posts: int
    rate: float
    seed: int

    @property
    def options(self) -> dict[str, float]:
        """The simulator's, as they stand in the settings' file."""
        return {
            "seed": self.seed,
            "rate": self.rate,
            "count": self.posts,
            "backlog": 0,
            "parts": 4,
            "catch_up_s": 36_000.0,
            "duplicate": 0.05,
            "edit": 0.05,
            "delete": 0.03,
            "late": 0.05,
            "follow_up": 0.1,
            "refuse": 0.03,
            "lose_answer": 0.08,
            "lose_request": 0.08,
            "late_visibility_s": 0.5,
        }

    @property
    def config(self) -> SimulatorConfig:
        return msgspec.convert(self.options, SimulatorConfig)

    @property
    def store_path(self) -> Path:
        return self.home / SOURCE

    def settings(self) -> str:
        """The system's settings file."""
        lines = [f"[sources.{SOURCE}]", f'brand = "{BRAND}"', 'kind = "simulator"']
        lines += [f"{name} = {value}" for name, value in self.options.items()]
        lines += ["[send]", "lease_s = 30.0", "confirm_after_s = 0.5", "every_s = 0.2"]
        return "\n".join(lines) + "\n"

    @cached_property
    def told(self) -> Truth:
        """Ask the world itself, with nothing of the system in between but the matcher."""
        config = msgspec.structs.replace(self.config, rate=0.0)
        world = Simulator(config, self.home / "truth")
        matcher = compile_queries(brands.load(ROOT / "config/brands")[BRAND].queries)
        revisions: dict[str, int] = {}
        deleted: set[str] = set()
        for part in world.parts():
            cursor, more = None, True
            while more:
                batch = world.poll(part, cursor)
                cursor, more = batch.cursor, batch.more
                for post in batch.posts:
                    name = f"simulator:{post.native_id}"
                    known = name in revisions
                    if post.op is Op.DELETE:
                        if known:
                            deleted.add(name)
                            revisions[name] = post.revision
                    elif matcher.match(post) or (post.op is Op.EDIT and known):
                        revisions[name] = max(revisions.get(name, 0), post.revision)
        world.close()
        return Truth(revisions, frozenset(deleted))

    def follow_ups(self, until: datetime | None = None) -> dict[str, int]:
        """What authors write back to our replies until then: mentions, each in one revision."""
        platform = SimulatedPlatform(self.config, self.store_path, lambda: datetime.now(UTC))
        try:
            written = map(platform.follow_up, platform.store.replies_after(0, 10**9))
            told = [w for w in written if w and (until is None or w.at <= until)]
            return {f"simulator:{w.native_id}": 0 for w in told}
        finally:
            platform.close()

    def storm(self, status: int, seconds: float) -> None:
        """Let the platform answer with this HTTP status for a while."""
        store = SimulatedStore(self.store_path, self.seed)
        try:
            store.storm(status, datetime.now(UTC) + timedelta(seconds=seconds))
        finally:
            store.close()

    def truth(self, until: datetime | None = None) -> Truth:
        """Everything that should be heard, of what is written back only that until then."""
        return Truth(self.told.revisions | self.follow_ups(until), self.told.deleted)

    def posted(self) -> Counter[str]:
        """How often each reply stands on the platform, by its key."""
        store = SimulatedStore(self.store_path, self.seed)
        try:
            return Counter(reply.key for reply in store.replies_after(0, 10**9))
        finally:
            store.close()

    def answered_threads(self) -> frozenset[str]:
        """The threads in which a reply of ours stands."""
        store = SimulatedStore(self.store_path, self.seed)
        try:
            return frozenset(reply.thread for reply in store.replies_after(0, 10**9))
        finally:
            store.close()

    def fates(self) -> Counter[str]:
        """How the attempts to reply really ended."""
        store = SimulatedStore(self.store_path, self.seed)
        try:
            return Counter(store.fates())
        finally:
            store.close()
