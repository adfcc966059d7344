"""Addresses of the lists behind numbers, in the words of the items explorer. Pure."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlencode

from dashboard.board.response_stats import FIRST, SLOTS_A_DAY, first_slot
from dashboard.lists.item_questions import PROMISED


def items(**asked: object) -> str:
    """The explorer with these filters; a filter that is None or empty is left out."""
    pairs = [(name, value) for name, value in asked.items() if value not in (None, "")]
    return "/items?" + urlencode(pairs)


def answered(first: date, last: date, **more: object) -> str:
    """First responses to what arrived from `first` to `last`, both in it."""
    when = {"day": first} if first == last else {"day_from": first, "day_to": last}
    return items(metric=FIRST, **when, **more)


def waiting(first: date, last: date) -> str:
    """Open items whose clock started from `first` to `last`, both in it."""
    return open_items(slot_from=first_slot(first), slot_to=first_slot(last) + SLOTS_A_DAY)


def open_items(**more: object) -> str:
    """Everything that was promised an answer and waits for it: what the board counts as open.

    A question of due times needs no more: history has none.
    """
    return items(state="open", flag="" if "due" in more else PROMISED, **more)
