"""The native ids of the simulated platform, and what they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ID = re.compile(r"(\d{1,10})-(?:(\d{1,2})-(\d{1,18})|r(\d{1,18})|f(\d{1,18}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class WorldPost:
    """The post at `index` of the world's part `part`."""

    part: int
    index: int


@dataclass(frozen=True, slots=True)
class OurReply:
    """The brand's reply number `reply`."""

    reply: int


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What the author wrote below our reply number `reply`."""

    reply: int


Place = WorldPost | OurReply | FollowUp


def world_id(seed: int, part: int, index: int) -> str:
    return f"{seed}-{part}-{index}"


def native_id(seed: int, place: Place) -> str:
    match place:
        case WorldPost(part, index):
            return world_id(seed, part, index)
        case OurReply(reply):
            return f"{seed}-r{reply}"
        case FollowUp(reply):
            return f"{seed}-f{reply}"


def place_of(seed: int, id: str) -> Place | None:
    """What `id` stands for in the world of `seed`; None for an id that is not of this world."""
    found = _ID.fullmatch(id)
    if found is None or int(found[1]) != seed:
        return None
    _, part, index, reply, follow_up = found.groups()
    if reply is not None:
        return OurReply(int(reply))
    if follow_up is not None:
        return FollowUp(int(follow_up))
    return WorldPost(int(part), int(index))


def url(id: str) -> str:
    """Where the post would be read: a reserved name, which never resolves."""
    return f"https://simulator.example/p/{id}"
