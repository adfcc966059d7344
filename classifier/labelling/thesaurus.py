"""Words for one thing, in several languages: what lets a few examples speak for others.

`model/thesaurus.txt` has one thing a line. It is general vocabulary, written by hand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from classifier.text.normalization import normalise

THESAURUS = Path(__file__).resolve().parents[1] / "model" / "thesaurus.txt"

_TOKEN = re.compile(r"[\w'-]+")


@dataclass(frozen=True, slots=True)
class Thesaurus:
    """`things` are the words of each line; `lines` finds the lines of a word or phrase."""

    things: tuple[tuple[str, ...], ...]
    lines: dict[str, tuple[int, ...]]
    longest: int

    def met(self, text: str) -> frozenset[int]:
        """The lines with a word or phrase that is in `text`."""
        tokens = _TOKEN.findall(normalise(text))
        phrases = (
            " ".join(tokens[at : at + size])
            for size in range(1, self.longest + 1)
            for at in range(len(tokens) - size + 1)
        )
        return frozenset(line for phrase in phrases for line in self.lines.get(phrase, ()))


@cache
def thesaurus(path: Path = THESAURUS) -> Thesaurus:
    """The thesaurus in the file at `path`. Raises OSError when it can't be read."""
    written = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    things = tuple(
        tuple(dict.fromkeys(" ".join(word.split()) for word in line.split(",")))
        for line in written
        if line and not line.startswith("#")
    )
    lines: dict[str, tuple[int, ...]] = {}
    for at, words in enumerate(things):
        for word in words:
            lines[word] = (*lines.get(word, ()), at)
    longest = max((len(word.split()) for word in lines), default=0)
    return Thesaurus(things, lines, longest)
