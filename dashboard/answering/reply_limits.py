"""How long a reply may be on each platform, counted as its readers count. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wcwidth import iter_graphemes


@dataclass(frozen=True, slots=True)
class Limit:
    """The longest reply in grapheme clusters (what a reader sees as one character)."""

    graphemes: int


_DEFAULT = Limit(5_000)
_LIMITS = {
    "x": Limit(280),
    "bluesky": Limit(300),
    "reddit": Limit(10_000),
    "simulator": Limit(500),
}


def limit_of(platform: str) -> Limit:
    """The limit of a platform; 5,000 where none is known."""
    return _LIMITS.get(platform, _DEFAULT)


def graphemes(text: str) -> int:
    """The extended grapheme clusters of Unicode UAX 29: a family emoji counts as one."""
    return sum(1 for _ in iter_graphemes(text))
