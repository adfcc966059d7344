"""What the explorer is asked: the address of a drill-down, read once into a value. Pure.

Every number of the board is a link with these parameters, and the list behind it counts
from the same roll-up:

* open items, counted from `backlog`: `state` (repeatable; `open` for all open states), `team`,
  `sentiment`, `flag` (`high-reach`, `unsure`, `vip`, `history`, and `promised` for what is no
  history), `slot_from` and `slot_to` (slots of
  300 s in which the clock started; the second is the first one not meant);
  `due` (`overdue` or `risk`) is counted from the index of due times, since it changes by
  time passing;
* closed clocks, counted from `response`: `metric` (`first`, `next`, `resolution`), `day_from`
  and `day_to` (ISO, both meant; `day` for one), `bucket_from` and `bucket_to` (both meant;
  `bucket` for one), `met` (`1` or `0`), `team`, `topic`, `platform`.

`q` (the filter language), `topic`, `platform` and `source` narrow open items too; no roll-up
knows them, so such a list shows no count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date

from dashboard.frame.deadlines import Level
from earshot.domain import ItemFlag, ItemState
from earshot.items.lifecycle import OPEN

FLAGS = {
    "high-reach": ItemFlag.HIGH_REACH,
    "unsure": ItemFlag.UNSURE,
    "vip": ItemFlag.VIP,
    "history": ItemFlag.HISTORY,
}
PROMISED = "promised"
WITHOUT = {PROMISED: ItemFlag.HISTORY}
"""Marks that ask for the absence of a flag."""
DUE = (Level.OVERDUE, Level.RISK)
METRICS = ("first", "next", "resolution")
TEXT_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An explorer's question. `metric` decides between closed clocks and open items."""

    states: tuple[ItemState, ...] = ()
    team: str = ""
    topic: str = ""
    sentiment: str = ""
    platform: str = ""
    source: str = ""
    flag: str = ""
    due: str = ""
    slot_from: int | None = None
    slot_to: int | None = None
    metric: str = ""
    day_from: str = ""
    day_to: str = ""
    bucket_from: int | None = None
    bucket_to: int | None = None
    met: bool | None = None
    q: str = ""

    @property
    def flag_bit(self) -> int:
        return FLAGS.get(self.flag, 0)

    @property
    def without_bit(self) -> int:
        return WITHOUT.get(self.flag, 0)

    @property
    def of_clocks(self) -> bool:
        return bool(self.metric)

    @property
    def countable(self) -> bool:
        """Whether a roll-up knows every dimension that is asked for."""
        if self.of_clocks:
            return not (self.q or self.sentiment or self.source or self.flag or self.due)
        if self.due and (self.team or self.sentiment or self.flag or self.slot_from is not None):
            return False
        narrowed = self.topic or self.platform or self.source or self.q
        return not narrowed and set(self.states) <= OPEN

    def parameters(self) -> list[tuple[str, str]]:
        """The question as the parameters of an address: what `question` reads."""
        found = [("state", state.value) for state in self.states if set(self.states) != OPEN]
        if set(self.states) == OPEN:
            found = [("state", "open")]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "states" or value in ("", None):
                continue
            found.append((field.name, str(int(value)) if isinstance(value, bool) else str(value)))
        return found


def question(values: Mapping[str, str], states: list[str]) -> Question:
    """The question of an address; what can't be read is left out."""
    text = {name: values.get(name, "")[:TEXT_LIMIT] for name in _TEXTS}
    if text["metric"] not in METRICS:
        text["metric"] = ""
    if text["flag"] not in FLAGS | WITHOUT:
        text["flag"] = ""
    if text["due"] not in DUE:
        text["due"] = ""
    day, bucket = values.get("day", ""), values.get("bucket", "")
    return Question(
        **text,
        states=_states(states),
        slot_from=_number(values.get("slot_from", "")),
        slot_to=_number(values.get("slot_to", "")),
        day_from=_day(values.get("day_from", day)),
        day_to=_day(values.get("day_to", day)),
        bucket_from=_number(values.get("bucket_from", bucket)),
        bucket_to=_number(values.get("bucket_to", bucket)),
        met={"1": True, "0": False}.get(values.get("met", "")),
    )


_TEXTS = ("team", "topic", "sentiment", "platform", "source", "flag", "metric", "due", "q")


def _states(names: list[str]) -> tuple[ItemState, ...]:
    if not names or "open" in names:
        return tuple(state for state in ItemState if state in OPEN)
    known = [ItemState(name) for name in names if name in ItemState.__members__.values()]
    return tuple(dict.fromkeys(known)) or tuple(state for state in ItemState if state in OPEN)


def _number(text: str) -> int | None:
    """A whole number that fits into a column, else None."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else None


_DIGITS = 15


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return ""
