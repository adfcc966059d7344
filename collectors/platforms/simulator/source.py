"""The simulator: a seeded world of people who talk about Acme, to collect from and to answer.

It needs no key and no network. `Simulator` is the source, `SimulatorResponder` the
way out; both look at the same world through the same store, from as many processes as one
likes. The world depends on the seed and the index of an event only, so that a poll can be repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from collectors.contract.source import (
    Batch,
    Cursor,
    Limit,
    PlatformError,
    Post,
)
from collectors.contract.validation import utc_now
from collectors.platforms.simulator.address import (
    WorldPost,
    place_of,
    url,
    world_id,
)
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.platform import (
    LOCKED,
    NAME,
    US,
    Clock,
    SimulatedPlatform,
    Standing,
)
from collectors.platforms.simulator.timeline import Stretch, Timeline, resumed
from collectors.platforms.simulator.world import Said
from earshot.domain import Op

_FOLLOW_UPS = 100


class Simulator:
    """The world as a source. Parts are `p0` to `pn`, each with its own authors' threads.

    The cursor is `{"v": 1, "at": index, "replies": number}`: the next event, and the last of
    our replies whose author had the chance to write back.
    """

    platform = NAME
    everything = False
    account = US.id
    limits: Sequence[Limit] = ()
    poll_every_s = 0.25
    keeps_history = False

    def __init__(self, config: SimulatorConfig, store: Path, clock: Clock = utc_now) -> None:
        self._config = config
        self._clock = clock
        self._platform = SimulatedPlatform(config, store, clock)
        self._names = {f"p{part}": part for part in range(config.parts)}

    def parts(self) -> Sequence[str]:
        return tuple(self._names)

    def poll(self, part: str, cursor: Cursor | None) -> Batch:
        """The events after `cursor` that have happened, at most `batch`, then follow-ups.

        The first poll of a new store finds `backlog` events there already.
        """
        number = self._number(part)
        at, replies = _position(cursor)
        now = self._clock()
        self._platform.require_fair_weather(now)
        timeline = self._resume(number, at, now)
        reached = timeline.reached(now)
        end = max(at, min(reached, at + self._config.batch))
        posts = [self._post(number, index, timeline) for index in range(at, end)]
        if self._config.rate and end > at:
            self._platform.store.advance(number, end)
        followed, replies = self._follow_ups(number, replies, now)
        return Batch(
            posts=posts + followed,
            cursor={"v": 1, "at": end, "replies": replies},
            more=end < reached,
        )

    def close(self) -> None:
        self._platform.close()

    def _number(self, part: str) -> int:
        if part not in self._names:
            raise PlatformError(
                f"the simulator has no part {part!r}, only {', '.join(self._names)}:"
                " set its `parts` higher, or forget this part",
                permanent=True,
            )
        return self._names[part]

    def _resume(self, part: int, at: int, now: datetime) -> Timeline:
        """The part's timeline, with a new stretch where the first look or a pause needs one."""
        timeline = self._platform.timeline(part)
        if timeline is not None and not timeline.paced:
            return timeline
        step_s = self._platform.step_s()
        if timeline is None:
            backlog_s = self._config.backlog // self._config.parts * step_s
            stretch: Stretch | None = Stretch(
                first=at, origin=now - timedelta(seconds=backlog_s), step_s=step_s
            )
        else:
            stretch = resumed(
                timeline,
                head=max(self._platform.store.head(part), timeline.stretches[-1].first),
                now=now,
                step_s=step_s,
                catch_up_s=self._config.catch_up_s,
            )
        if stretch is None and timeline is not None:
            return timeline
        if stretch is not None:
            self._platform.store.begin(part, stretch)
        return self._resume(part, at, now)

    def _post(self, part: int, index: int, timeline: Timeline) -> Post:
        said = self._platform.worlds[part].said(index)
        seed = self._config.seed
        name = world_id(seed, part, said.post)
        locked = self._platform.worlds[part].locked(said.root)
        return Post(
            native_id=name,
            thread=_known_thread(said, seed, part),
            author=said.author,
            text=said.text,
            url=url(name),
            published_at=_published(said, index, timeline),
            edited_at=timeline.moment(index) if said.op is Op.EDIT else None,
            op=said.op,
            revision=said.revision,
            parent=world_id(seed, part, said.parent) if said.parent >= 0 else "",
            # Like elsewhere, the platform's own guess of the language is not always there.
            lang=said.lang if said.post & 3 else "",
            can_reply=not locked,
            reply_bar=LOCKED if locked else "",
        )

    def _follow_ups(self, part: int, after: int, now: datetime) -> tuple[list[Post], int]:
        """What authors wrote back to our replies, in the order of the replies."""
        posts = []
        for reply in self._platform.store.replies_after(after, _FOLLOW_UPS):
            place = place_of(self._config.seed, reply.thread)
            if isinstance(place, WorldPost) and place.part == part:
                written = self._platform.follow_up(reply)
                if written is not None and written.at > now:
                    break
                if written is not None:
                    posts.append(_followed(written))
            after = reply.id
        return posts, after


def _position(cursor: Cursor | None) -> tuple[int, int]:
    if cursor is None:
        return 0, 0
    place = [cursor.get(name) for name in ("v", "at", "replies")]
    match place:
        case [1, int(at), int(replies)] if at >= 0 and replies >= 0:
            return at, replies
    raise PlatformError(
        f"the simulator can't read the cursor {_shown(cursor)}: it must look like"
        ' {"v": 1, "at": 0, "replies": 0}; correct it, or delete it to begin again',
        permanent=True,
    )


def _shown(cursor: Mapping[str, object]) -> str:
    return repr(dict(cursor))[:200]


def _known_thread(said: Said, seed: int, part: int) -> str:
    # Of every second deletion the platform reports the id only, as real ones do.
    if said.op is Op.DELETE and said.post & 1:
        return ""
    return world_id(seed, part, said.root)


def _published(said: Said, index: int, timeline: Timeline) -> datetime:
    """When the post was written, for a deletion when it was deleted."""
    if said.op is Op.DELETE:
        return timeline.moment(index)
    written = timeline.moment(said.post)
    return written - timedelta(seconds=said.late_s) if said.late_s else written


def _followed(written: Standing) -> Post:
    return Post(
        native_id=written.native_id,
        thread=written.thread,
        author=written.author,
        text=written.text,
        url=url(written.native_id),
        published_at=written.at,
        parent=written.parent,
        lang=written.lang,
    )
