"""How long X takes a post to be, written from its documentation and not from our code."""

from __future__ import annotations

import re


def weight(text: str) -> int:
    """As X counts, emoji left out: https://docs.x.com/fundamentals/counting-characters."""
    text = re.sub(r"https?://\S+", "x" * 23, text)
    light = (range(0x1100), range(0x2000, 0x200E), range(0x2010, 0x2020), range(0x2032, 0x2038))
    return sum(1 if any(ord(sign) in one for one in light) else 2 for sign in text)
