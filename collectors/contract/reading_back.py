"""What a thread shows, though some of it can't be read. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from collectors.contract.source import Seen
from collectors.contract.validation import MISREAD

T = TypeVar("T")


def readable(
    things: Iterable[T], see: Callable[[T], Seen | None], by_others: Callable[[T], bool]
) -> Iterator[Seen]:
    """What `see` makes of each thing; None is left out.

    One flawed post of somebody else is left out as well, or it would keep us from answering
    anybody in its thread. One that may be ours raises what `MISREAD` names: a reply that
    isn't seen would be sent again.
    """
    for thing in things:
        try:
            found = see(thing)
        except MISREAD:
            if by_others(thing):
                continue
            raise
        if found is not None:
            yield found
