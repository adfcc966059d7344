"""How long a platform may make us wait: one bound for every source and responder. Pure."""

from __future__ import annotations

import math

LONGEST_S = 86_400.0
"""A day, in seconds. No platform counts over longer: what is longer is a mistake of theirs, and
a source that believed it would be silent for years."""

SHORTEST_S = 1.0


def bounded_wait_s(asked: float | None) -> float | None:
    """The wait of `asked` seconds as we keep it: at least a second, at most `LONGEST_S`.

    None, for our own back-off, where nothing was asked, or nothing that is a time ahead.
    """
    if asked is None or math.isnan(asked) or asked <= 0:
        return None
    return min(max(asked, SHORTEST_S), LONGEST_S)
