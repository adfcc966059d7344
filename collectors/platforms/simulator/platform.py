"""What is on the simulated platform at a moment: the world's posts, ours, and follow-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from pathlib import Path

from collectors.contract.source import PlatformError
from collectors.platforms.simulator.address import (
    FollowUp,
    OurReply,
    Place,
    WorldPost,
    native_id,
    place_of,
    world_id,
)
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.dice import mix, share
from collectors.platforms.simulator.phrases import Kind, sentences
from collectors.platforms.simulator.store import SimulatedStore, StoredReply
from collectors.platforms.simulator.timeline import ENDLESS, Stretch, Timeline
from collectors.platforms.simulator.world import Said, World
from earshot.domain import Author

Clock = Callable[[], datetime]

NAME = "simulator"

LOCKED = "the thread is locked"

US = Author(
    id="u-acmehelp",
    name="Acme Help",
    handle="acmehelp",
    reach=48_000,
    url="https://simulator.example/@acmehelp",
)
"""The brand's own account."""

FREE_STEP_S = 0.5
"""Between two events of a world without pace, in its own time."""

TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
"""The status that says when to come back; it documents that nothing was done."""

WRITES_FAIL = HTTPStatus.SERVICE_UNAVAILABLE
"""The status of a storm in which threads can still be read: attempts go out and get lost."""

RETRY_AFTER_S = 1.0

_CONTENT = 150  # of 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A post that people can see. `thread` and `parent` are native ids."""

    native_id: str
    thread: str
    parent: str
    author: Author
    lang: str
    text: str
    at: datetime
    locked: bool = False


class SimulatedPlatform:
    """The world as far as it has happened, with the replies stored. Raises PlatformError."""

    def __init__(self, config: SimulatorConfig, store: Path, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.store = SimulatedStore(store, config.seed)

    @cached_property
    def worlds(self) -> tuple[World, ...]:
        return tuple(World(self.config, part) for part in range(self.config.parts))

    def require_fair_weather(self, now: datetime, *, but_for: int = 0) -> None:
        """Raises PlatformError in a storm (not in one of the status `but_for`)."""
        status = self.store.storms(now)
        if status not in (0, but_for):
            raise PlatformError(
                f"the simulator answers {status}: wait until its storm is over",
                retry_after_s=RETRY_AFTER_S if status == TOO_MANY else None,
            )

    def step_s(self) -> float:
        """The time between two events of the same part."""
        rate = self.config.rate
        return self.config.parts * (1 / rate if rate else FREE_STEP_S)

    def timeline(self, part: int) -> Timeline | None:
        """When a part's events happen; None while nobody has looked at a paced world yet."""
        count, parts = self.config.count, self.config.parts
        total = count // parts + (part < count % parts) if count else ENDLESS
        if not self.config.rate:
            origin = self.config.start + timedelta(seconds=part * FREE_STEP_S)
            stretch = Stretch(first=0, origin=origin, step_s=self.step_s())
            return Timeline(stretches=(stretch,), total=total, paced=False)
        stretches = self.store.stretches(part)
        return Timeline(stretches=stretches, total=total) if stretches else None

    def standing(self, id: str, now: datetime) -> Standing | None:
        """The post called `id` as it is at `now`; None if it is not there, or no longer."""
        match place_of(self.config.seed, id):
            case WorldPost(part, index) if part < self.config.parts:
                timeline = self.timeline(part)
                if timeline is None:
                    return None
                said = self.worlds[part].standing(index, timeline.reached(now))
                return self._stands(part, said, timeline) if said else None
            case OurReply(number):
                reply = self.store.reply(number)
                return self._shown(reply, now) if reply else None
            case FollowUp(number):
                reply = self.store.reply(number)
                written = self.follow_up(reply) if reply else None
                return written if written and written.at <= now else None
            case _:
                return None

    def below(self, id: str, now: datetime) -> list[Standing]:
        """Everything that can be seen below `id` at `now`, by time, also if `id` is deleted."""
        place = place_of(self.config.seed, id)
        found = list(self._world_below(place, now))
        known = {id, *(post.native_id for post in found)}
        for reply in self.store.replies_in(self._thread(place)):
            if reply.parent not in known:
                continue
            for post in (self._shown(reply, now), self.follow_up(reply)):
                if post is not None and post.at <= now:
                    found.append(post)
                    known.add(post.native_id)
        return sorted(found, key=lambda post: post.at)

    def follow_up(self, reply: StoredReply) -> Standing | None:
        """What the author writes back to `reply`, if they do; it may lie in the future."""
        bits = mix(mix(self.config.seed) ^ reply.id)
        asked = self._asked(reply) if share(bits) < self.config.follow_up else None
        if asked is None:
            return None
        kind = Kind.THANKS if bits >> 32 & 0xFF < _CONTENT else Kind.STILL
        pool = sentences(asked.lang, kind)
        return Standing(
            native_id=native_id(self.config.seed, FollowUp(reply.id)),
            thread=reply.thread,
            parent=native_id(self.config.seed, OurReply(reply.id)),
            author=asked.author,
            lang=asked.lang,
            text=pool[(bits >> 48) % len(pool)],
            at=reply.visible_at + timedelta(seconds=5 + (bits >> 40 & 0xF)),
        )

    def close(self) -> None:
        self.store.close()

    def _asked(self, reply: StoredReply) -> Said | None:
        """The post of the world that the exchange with `reply` began with."""
        while True:
            match place_of(self.config.seed, reply.parent):
                case WorldPost(part, index) if part < self.config.parts:
                    return self.worlds[part].standing(index, index + 1)
                case OurReply(number) | FollowUp(number) if number < reply.id:
                    earlier = self.store.reply(number)
                    if earlier is None:
                        return None
                    reply = earlier
                case _:
                    return None

    def _thread(self, place: Place | None) -> str:
        match place:
            case WorldPost(part, index) if part < self.config.parts:
                root = self.worlds[part].root(index)
                return world_id(self.config.seed, part, root)
            case OurReply(number) | FollowUp(number):
                reply = self.store.reply(number)
                return reply.thread if reply else ""
            case _:
                return ""

    def _world_below(self, place: Place | None, now: datetime) -> Iterator[Standing]:
        match place:
            case WorldPost(part, index) if part < self.config.parts:
                timeline = self.timeline(part)
                if timeline is not None:
                    for said in self.worlds[part].below(index, timeline.reached(now)):
                        yield self._stands(part, said, timeline)

    def _stands(self, part: int, said: Said, timeline: Timeline) -> Standing:
        seed = self.config.seed
        return Standing(
            native_id=world_id(seed, part, said.post),
            thread=world_id(seed, part, said.root),
            parent=world_id(seed, part, said.parent) if said.parent >= 0 else "",
            author=said.author,
            lang=said.lang,
            text=said.text,
            at=timeline.moment(said.post) - timedelta(seconds=said.late_s),
            locked=self.worlds[part].locked(said.root),
        )

    def _shown(self, reply: StoredReply, now: datetime) -> Standing | None:
        if reply.visible_at > now:
            return None
        return Standing(
            native_id=native_id(self.config.seed, OurReply(reply.id)),
            thread=reply.thread,
            parent=reply.parent,
            author=US,
            lang="",
            text=reply.text,
            at=reply.at,
        )
