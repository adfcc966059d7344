"""What a token is: a run of letters and digits, or a run of symbols.

What is neither, or can't be seen, is between tokens. Texts come from
`classifier.text.normalization.normalise`, which leaves no lone surrogate in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

END = "\udfff"
"""The token after the last of each text. No text holds it."""

_SPACE, _WORD, _SYMBOL = "space", "word", "symbol"
_KANA_END, _UNICODE_END = 0x3100, 0x110000
_VARIATION = range(0xFE00, 0xFE10)
"""Says how the character before is drawn; the emoji is the same."""

_EMOJI = range(0x1F000, 0x1FB00)


def _class_of(code: int) -> str:
    """What a character below the end of the kana is."""
    char = chr(code)
    if char.isspace() or not char.isprintable():
        return _SPACE
    return _WORD if char.isalnum() or char in "'_#@" else _SYMBOL


def _blocks() -> Iterable[tuple[str, int, int]]:
    """Runs of code points of one class: the class, the first, the last."""
    for kind, codes in groupby(range(_KANA_END), _class_of):
        run = list(codes)
        yield kind, run[0], run[-1]
    # beyond are ideographs and other letters, all taken as such, and pictures
    yield _WORD, _KANA_END, _VARIATION.start - 1
    yield _WORD, _VARIATION.stop, _EMOJI.start - 1
    yield _SYMBOL, _EMOJI.start, _EMOJI.stop - 1
    yield _WORD, _EMOJI.stop, _UNICODE_END - 1


def _set_of(wanted: str) -> str:
    """The characters of a class, as a regular expression's set."""
    ranges = (
        f"{re.escape(chr(first))}-{re.escape(chr(last))}"
        for kind, first, last in _blocks()
        if kind == wanted
    )
    return f"[{''.join(ranges)}]"


_SYMBOLS = _set_of(_SYMBOL)
_TOKEN = re.compile(f"{_set_of(_WORD)}++|{_SYMBOLS}++")
_IS_SYMBOL = re.compile(_SYMBOLS)


def tokens(texts: Sequence[str]) -> list[str]:
    """The tokens of all `texts`, with `END` after those of each."""
    return _TOKEN.findall(f"\n{END}\n".join((*texts, "")))


def is_symbol(token: str) -> bool:
    """Whether a token is a run of symbols."""
    return _IS_SYMBOL.match(token) is not None
