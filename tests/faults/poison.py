"""Records that no stage can handle, each different, so that every one can be found again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import msgspec

from earshot.domain import Classified
from earshot.log.topics import CLASSIFIED, MENTIONS
from tests.builders import a_classification, a_mention

DEEP = 20_000
"""How many brackets deep a nested record is."""


def _garbage(name: str, dice: random.Random) -> bytes:
    return name.encode() + b"\xff\xfe" + dice.randbytes(dice.randrange(2_000))


def _truncated(name: str, dice: random.Random) -> bytes:
    whole = MENTIONS.encode(a_mention(native_id=name))
    return whole[: dice.randrange(20, len(whole) - 1)] + name.encode()


def _wrong_types(name: str, dice: random.Random) -> bytes:
    fields = msgspec.to_builtins(a_mention(native_id=name))
    spoilt = dice.choice(["author", "published_at", "revision", "queries", "op"])
    return msgspec.json.encode({**fields, spoilt: {"no": name}})


def _missing_fields(name: str, dice: random.Random) -> bytes:
    return msgspec.json.encode({"brand": "acme", "native_id": name})


def _deep(name: str, dice: random.Random) -> bytes:
    return b'{"unknown":' + b"[" * DEEP + b"]" * DEEP + b',"id":"' + name.encode() + b'"}'


def _naive_time(name: str, dice: random.Random) -> bytes:
    fields = msgspec.to_builtins(a_mention(native_id=name))
    return msgspec.json.encode({**fields, "published_at": "2026-03-02T12:00:00"})


def _large(name: str, dice: random.Random) -> bytes:
    return b'{"padding":"' + b"x" * 300_000 + name.encode() + b'"}'


def _unknown_brand(name: str, dice: random.Random) -> bytes:
    """Whole and well, but nobody's: a stage refuses it, not the decoder."""
    stray = a_mention(native_id=name, brand="nobodys")
    return CLASSIFIED.encode(Classified(mention=stray, classification=a_classification()))


_Recipe = Callable[[str, random.Random], bytes]

_ANYWHERE: tuple[_Recipe, ...] = (
    _garbage,
    _truncated,
    _wrong_types,
    _missing_fields,
    _deep,
    _naive_time,
    _large,
)

RECIPES: Mapping[str, tuple[_Recipe, ...]] = {
    MENTIONS.name: _ANYWHERE,
    CLASSIFIED.name: (*_ANYWHERE, _unknown_brand),
}


def brew(topic: str, seed: int, count: int) -> list[bytes]:
    """`count` records that whoever reads `topic` must refuse, no two alike."""
    dice = random.Random(seed)
    recipes = RECIPES[topic]
    return [dice.choice(recipes)(f"poison-{topic}-{seed}-{n}", dice) for n in range(count)]
