"""The filter language of lists: `topic:billing sentiment:neg is:unsure "exact words" -word`.

Pure: text to a frozen value. What can't be read is a problem in words, never an exception,
since people type here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dashboard.words import gettext as _
from earshot.domain import Sentiment

LIMIT = 200
MOST_WORDS = 8

FIELDS = ("topic", "sentiment", "channel", "lang", "team", "source")
IS = ("unsure", "high-reach", "vip", "history", "reopened", "unassigned", "mine")

_TOKEN = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))')


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Each field holds the accepted values (any of them; empty: all).

    All of `words` stand in the text and none of `without`.
    """

    topic: tuple[str, ...] = ()
    sentiment: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    lang: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    signs: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def parse(text: str) -> Filter:
    """The filter that `text` asks for; what can't be understood stands in `problems`."""
    fields: dict[str, list[str]] = {name: [] for name in FIELDS}
    words: list[str] = []
    without: list[str] = []
    signs: set[str] = set()
    problems: list[str] = []
    if len(text) > LIMIT:
        problems.append(_("Only the first %(n)d characters are used.", n=LIMIT))
    for minus, field, quoted, bare in _TOKEN.findall(text[:LIMIT]):
        value = quoted or bare
        if not value:
            continue
        if field == "is":
            if value.lower() in IS:
                signs.add(value.lower())
            else:
                known = ", ".join(IS)
                problems.append(
                    _("is: knows %(known)s; not %(value)s.", known=known, value=value[:40])
                )
        elif field in fields:
            fields[field].append(_value(field, value, problems))
        else:
            (without if minus else words).append(f"{field}:{value}" if field else value)
    if len(words) + len(without) > MOST_WORDS:
        problems.append(_("Only the first %(n)d words are used.", n=MOST_WORDS))
    return Filter(
        **{name: tuple(value for value in values if value) for name, values in fields.items()},
        signs=frozenset(signs),
        words=tuple(words[:MOST_WORDS]),
        without=tuple(without[: max(0, MOST_WORDS - len(words))]),
        problems=tuple(problems),
    )


def _value(field: str, value: str, problems: list[str]) -> str:
    """The stored spelling of a field's value; sentiments may be shortened."""
    lowered = value.lower()
    if field != "sentiment":
        return lowered if field in ("channel", "lang") else value
    found = [sentiment.value for sentiment in Sentiment if sentiment.value.startswith(lowered)]
    if len(found) == 1:
        return found[0]
    problems.append(
        _("sentiment: is negative, neutral or positive, not %(value)s.", value=value[:40])
    )
    return ""
