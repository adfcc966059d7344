"""How long a reply may be, counted as its platform counts. Pure.

A length is data: a platform describes its own, the collector writes it beside the source's health,
and the desk's server and `composer.js` count by it. `tests/data/reply_lengths.json` holds both
to the same numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
from wcwidth import iter_graphemes


class Unit(StrEnum):
    """What a bound counts."""

    GRAPHEMES = "graphemes"  # what a reader sees as one character (Unicode UAX 29)
    CHARACTERS = "characters"  # Unicode code points
    BYTES = "bytes"  # of UTF-8
    WEIGHTED = "weighted"  # code points of the NFC form: a light one is 1, others and emoji are 2


class Bound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """At most `limit` of a unit, where every link counts as `link` (None: as it is written).

    `light` are the ranges of code points, ends included, that weigh 1 where weights count.
    """

    unit: Unit
    limit: int
    link: int | None = None
    light: tuple[tuple[int, int], ...] = ()


ReplyLength = tuple[Bound, ...]
"""All bounds that a reply must keep."""

FALLBACK: ReplyLength = (Bound(unit=Unit.GRAPHEMES, limit=5_000),)
"""For a source that has not said yet: its platform refuses what is too long."""


def stored(length: ReplyLength) -> list[dict[str, Any]]:
    """`length` as JSON, for the database and the browser."""
    plain: list[dict[str, Any]] = msgspec.to_builtins(length)
    return plain


def read(saved: object) -> ReplyLength:
    """What `stored` made; the fallback where nothing was saved, or nothing that can be read."""
    try:
        return msgspec.convert(saved, ReplyLength) or FALLBACK
    except msgspec.ValidationError:  # written by a newer version
        return FALLBACK


def count(text: str, bound: Bound) -> int:
    """How long `text` is, in the bound's unit."""
    if bound.unit is Unit.WEIGHTED:
        text = unicodedata.normalize("NFC", text)
    if bound.link is None:
        return _count(text, bound)
    links = len(_LINK.findall(text))
    return links * bound.link + _count(_LINK.sub("", text), bound)


def tightest(text: str, length: ReplyLength) -> tuple[int, Bound]:
    """The bound that `text` comes nearest to, or exceeds most, and how much of it is used."""
    used = [(count(text, bound), bound) for bound in length]
    return max(used, key=lambda one: one[0] / one[1].limit)


def _count(text: str, bound: Bound) -> int:
    match bound.unit:
        case Unit.BYTES:
            return len(text.encode("utf-8", "surrogatepass"))
        case Unit.CHARACTERS:
            return len(text)
        case Unit.GRAPHEMES:
            return sum(1 for _ in iter_graphemes(text))
        case Unit.WEIGHTED:
            return sum(_weights(text, bound))


def _weights(text: str, bound: Bound) -> Iterator[int]:
    for cluster in iter_graphemes(text):
        if _EMOJI.fullmatch(cluster):
            yield 2
        else:
            yield sum(1 if _is_light(ord(sign), bound) else 2 for sign in cluster)


def _is_light(point: int, bound: Bound) -> bool:
    return any(first <= point <= last for first, last in bound.light)


_EMOJI = re.compile(
    # a pictograph with what may follow it; a sign of old is one only where its selector says so
    "[\U0001f000-\U0001faff][\U0001f000-\U0001faff\u2190-\u2bff\ufe0f\u200d\u20e3\U000e0020-\U000e007f]*"
    "|[#*0-9\u00a9\u00ae\u203c-\u3299](?:[\ufe0f\U0001f3fb-\U0001f3ff]"
    "[\U0001f000-\U0001faff\u2190-\u2bff\ufe0f\u200d\u20e3]*)"
)

_HOST = r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+"
_ENDINGS = (
    "com|net|org|edu|gov|info|biz|io|co|app|dev|ai|me|tv|shop|store|online|site|blog|cloud|tech"
    "|at|au|be|br|ca|ch|cz|de|dk|es|eu|fi|fr|ie|in|it|jp|kr|mx|nl|no|nz|pl|pt|ru|se|uk|us"
)
"""The endings of the hosts that count as links without http:// before them: the common ones."""

_SIGN = r"!#-;=?-~\u00a1-\u024f\u0400-\u04ff"
"""What a path holds: what X takes, without `<`, `>` and quotation marks."""

_LINK = re.compile(
    rf"(?<![@a-z0-9_.-])"
    rf"(?:https?://{_HOST}[a-z]{{2,}}|{_HOST}(?:{_ENDINGS})(?![a-z0-9_-]|\.[a-z0-9_]))"
    rf"(?::[0-9]+)?(?:[/?#](?:[{_SIGN}]*(?![.,;:!?)'\]])[{_SIGN}])?)?",
    re.IGNORECASE | re.ASCII,
)
