"""The filter language of lists: `topic:billing sentiment:neg is:unsure "exact words" -word`.

Pure: text to a frozen value. What can't be read is a problem in words, never an exception,
since people type here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dashboard.frame.i18n import gettext as _
from earshot.database.folding import fold
from earshot.domain import Sentiment

LIMIT = 200
MOST_WORDS = 8

FIELDS = ("topic", "sentiment", "channel", "lang", "team", "source")
IS = ("unsure", "high-reach", "vip", "history", "reopened", "unassigned", "mine")

_TOKEN = re.compile(r'(-?)(?:([^\W\d][\w-]*):(?!//))?(?:"([^"]*)"?|(\S+)|(?<=:))')
"""A sign, a field, and a value in quotes or without. Between a field's name and its colon
only letters, digits and hyphens may be, so `10:30` and `https://…` are words."""

_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Values by field, folded; `signs` are those of `is:`, `words` are of the text."""

    topic: tuple[str, ...] = ()
    sentiment: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    lang: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    signs: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a list shows: any value of each wanted field, all wanted signs and words.

    Nothing of `unwanted` may apply. A filter with `problems` was not understood as a whole:
    it must list nothing, rather than more than was asked for.
    """

    wanted: Terms = field(default_factory=Terms)
    unwanted: Terms = field(default_factory=Terms)
    problems: tuple[str, ...] = ()


def parse(text: str) -> Filter:
    """The filter that `text` asks for; what can't be understood is in `problems`.

    Names and values match without regard to case.
    """
    sides = {"": _Side(), "-": _Side()}
    problems: list[str] = []
    if len(text) > LIMIT:
        problems.append(_("A filter can have at most %(n)d characters. Shorten it.", n=LIMIT))
    for minus, name, quoted, bare in _TOKEN.findall(text[:LIMIT]):
        value = quoted or bare
        if name:
            problem = sides[minus].add(name.lower(), fold(value), name)
            problems += [problem] if problem else []
        elif value:
            sides[minus].words.append(value)
    if sum(len(side.words) for side in sides.values()) > MOST_WORDS:
        problems.append(_("A filter can have at most %(n)d words. Remove some.", n=MOST_WORDS))
    return Filter(wanted=sides[""].terms(), unwanted=sides["-"].terms(), problems=tuple(problems))


class _Side:
    """What was read so far of what is wanted, or of what is not."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self._fields: dict[str, list[str]] = {name: [] for name in FIELDS}
        self._signs: set[str] = set()

    def add(self, name: str, value: str, written: str) -> str:
        """Take a field's value, folded; the problem with it, if there is one."""
        if name != "is" and name not in self._fields:
            return _(
                "There is no filter “%(name)s:”. The filters are %(known)s. "
                "To search for the text itself, put it in quotes.",
                name=written[:_SHOWN],
                known=", ".join((*FIELDS, "is")),
            )
        if not value:
            return _("“%(name)s:” needs a value right after the colon.", name=name)
        if name == "is":
            return self._sign(value)
        if name == "sentiment":
            return self._sentiment(value)
        self._fields[name].append(value)
        return ""

    def _sign(self, value: str) -> str:
        if value in IS:
            self._signs.add(value)
            return ""
        known = ", ".join(IS)
        return _("“is:” takes %(known)s, not %(value)s.", known=known, value=value[:_SHOWN])

    def _sentiment(self, value: str) -> str:
        """Sentiments may be shortened."""
        found = [str(sentiment) for sentiment in Sentiment if sentiment.startswith(value)]
        if len(found) != 1:
            return _(
                "“sentiment:” takes negative, neutral or positive, not %(value)s.",
                value=value[:_SHOWN],
            )
        self._fields["sentiment"] += found
        return ""

    def terms(self) -> Terms:
        return Terms(
            **{name: tuple(values) for name, values in self._fields.items()},
            signs=frozenset(self._signs),
            words=tuple(self.words[:MOST_WORDS]),
        )
