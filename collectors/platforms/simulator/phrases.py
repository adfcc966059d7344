"""What is said, and in which words: the sentences of each language, kind and topic.

The material is in `wordings/<language>.toml` as templates with slots. They are filled
once, with a fixed number of sentences per pool, so that saying one costs an index.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cache
from importlib.resources import files
from string import Formatter

from collectors.platforms.simulator.dice import mix

LANGUAGES = ("en", "es", "de", "fr")

_POOL = 400
"""How many sentences a pool holds before repeated ones are dropped."""


class Kind(StrEnum):
    """Why somebody writes."""

    COMPLAINT = "complaint"
    QUESTION = "question"
    REQUEST = "request"
    PRAISE = "praise"
    REMARK = "remark"
    SPAM = "spam"
    INSULT = "insult"
    ELSEWHERE = "elsewhere"
    """About something else altogether: the brand is not named."""
    ECHO = "echo"
    """'Me too', below somebody's complaint."""
    ADVICE = "advice"
    """One customer helps another."""
    SPIKE = "spike"
    """One of the many who report the same outage."""
    THANKS = "thanks"
    """The author answers us, content."""
    STILL = "still"
    """The author answers us: it did not help."""


WANTS_ANSWER = frozenset(
    {Kind.COMPLAINT, Kind.QUESTION, Kind.REQUEST, Kind.ECHO, Kind.SPIKE, Kind.STILL}
)

TOPICAL = frozenset({Kind.COMPLAINT, Kind.QUESTION, Kind.REQUEST, Kind.PRAISE})
"""Kinds whose sentences are about a topic; the others have one pool each."""

_MOOD = {
    Kind.COMPLAINT: "upset",
    Kind.ECHO: "upset",
    Kind.SPIKE: "upset",
    Kind.STILL: "upset",
    Kind.QUESTION: "asking",
    Kind.REQUEST: "asking",
    Kind.PRAISE: "happy",
    Kind.REMARK: "calm",
    Kind.ADVICE: "calm",
    Kind.ELSEWHERE: "calm",
}


@cache
def _book(lang: str) -> dict[str, dict[str, list[str]]]:
    text = (files("collectors.platforms.simulator") / "wordings" / f"{lang}.toml").read_text(
        "utf-8"
    )
    return tomllib.loads(text)


@cache
def topics(kind: Kind) -> tuple[str, ...]:
    """The topics that people write about in this way: the same ones in every language."""
    return tuple(_book("en")[kind]) if kind in TOPICAL else ()


@cache
def sentences(lang: str, kind: Kind, topic: str = "") -> tuple[str, ...]:
    """The different sentences of one pool. Each names the brand, except in `ELSEWHERE`."""
    book = _book(lang)
    templates = book[kind][topic] if kind in TOPICAL else book["plain"][kind]
    if kind is not Kind.ELSEWHERE:
        templates = [_addressed(t, book["opening"]["address"], n) for n, t in enumerate(templates)]
    return _filled(templates, book["slots"])


@cache
def edits(lang: str) -> tuple[str, ...]:
    """What people add to a post when they change it."""
    book = _book(lang)
    return _filled(book["plain"]["edit"], book["slots"])


@cache
def closings(lang: str, kind: Kind) -> tuple[str, ...]:
    """What may follow a sentence of this kind: each empty or with the space before it."""
    mood = _MOOD.get(kind)
    if mood is None:
        return ("",)
    return tuple(f" {closing}" if closing else "" for closing in _book(lang)["closing"][mood])


def _addressed(template: str, addresses: list[str], n: int) -> str:
    named = "{brand}" in template or "{maker}" in template
    return template if named else f"{addresses[n % len(addresses)]} {template}"


def _filled(templates: list[str], slots: dict[str, list[str]]) -> tuple[str, ...]:
    parsed = [
        (template, [(name, slots[name]) for _, name, _, _ in Formatter().parse(template) if name])
        for template in templates
    ]
    made: dict[str, None] = {}  # a set that keeps its order: sets of strings do not
    for n in range(_POOL):
        template, names = parsed[n % len(parsed)]
        bits = mix(n)
        words = {
            name: choice[(bits >> 8 * at) % len(choice)] for at, (name, choice) in enumerate(names)
        }
        filled = template.format_map(words)
        made[filled[0].upper() + filled[1:]] = None
    return tuple(made)
