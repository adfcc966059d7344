"""The public sets that the shipped model learns from, and how each becomes examples.

Only sets whose licence lets a trained model be shipped are read here. None of them labels
what an author wants of a brand, so intent is taught by weak supervision: what a set is about,
its own label and the surface of the sentence decide, and sentences on which they disagree are
left out. `model/CARD.md` says how far that carries.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from classifier.training.training_labels import Example, read_labels
from earshot.domain import Intent, Sentiment

SEMEVAL_FILE = "sentiment_semeval_train.csv"
BANKING_FILE = "topic_banking77_train.csv"
CLINC_FILE = "topic_clinc150_train_val.csv"
SEED_FILE = Path(__file__).resolve().parents[1] / "model" / "seed.csv"
SEED_WEIGHT = 6.0
"""Our own sentences are few and to the point: each counts as six."""

SEMEVAL_HAM = 12_000
SEMEVAL_REMARKS_FROM = 20_000
"""Remarks are taken from the tweets from this row on: more of them only cost time."""

_CLEAR, _VERY_CLEAR, _FLAT = 0.75, 1.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A named set with its licence and what was taken from it."""

    name: str
    licence: str
    examples: tuple[Example, ...]


def default_corpora(folder: Path) -> list[Corpus]:
    """What the shipped model learns from; `folder` holds the labelled CSV files.

    Raises FileNotFoundError that names the missing file.
    """
    readers = (
        ("SemEval-2017 task 4A", "free for research and commercial use, texts under X's terms",
         _semeval, SEMEVAL_FILE),
        ("VADER tweets", "MIT", _vader, "sentiment_vader_tweets.csv"),
        ("VADER Amazon reviews", "MIT", _vader, "sentiment_vader_amazon.csv"),
        ("banking77", "CC BY 4.0", _banking, BANKING_FILE),
        ("CLINC150", "CC BY 3.0", _clinc, CLINC_FILE),
        ("UCI SMS Spam Collection", "CC BY 4.0", _sms, "spam_sms.csv"),
    )  # fmt: skip
    corpora = [
        Corpus(name=name, licence=licence, examples=tuple(read(_rows(folder / file))))
        for name, licence, read, file in readers
    ]
    return [*corpora, seed()]


def seed() -> Corpus:
    """Our own sentences: the way people speak to brands, and the spam they get.

    A sentence labelled with an intent says its mood as well: complaints are negative, praise is
    positive, the rest is neutral (they were written so).
    """
    written = read_labels(SEED_FILE)
    moods = [
        Example(text=e.text, task="sentiment", label=_MOODS.get(e.label, Sentiment.NEUTRAL))
        for e in written
        if e.task == "intent"
    ]
    examples = tuple(replace(e, weight=SEED_WEIGHT) for e in [*moods, *written])
    return Corpus(name="Earshot's own sentences", licence="Apache-2.0", examples=examples)


_MOODS: dict[str, str] = {Intent.COMPLAINT: Sentiment.NEGATIVE, Intent.PRAISE: Sentiment.POSITIVE}


def intent_texts(folder: Path) -> list[dict[str, list[str]]]:
    """The texts of each intent of banking77 and of CLINC150, out-of-scope ones left out."""
    sets = []
    for file in (BANKING_FILE, CLINC_FILE):
        texts: dict[str, list[str]] = {}
        for row in _rows(folder / file):
            if row["label"] != "oos":
                texts.setdefault(row["label"], []).append(row["text"])
        sets.append(texts)
    return sets


def plain_tweets(folder: Path) -> list[str]:
    """Tweets about anything."""
    return [row["text"] for row, _ in zip(_rows(folder / SEMEVAL_FILE), range(5_000), strict=False)]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing; the shipped model is trained from the public sets that "
            "classifier/model/CARD.md lists, one CSV file each"
        )
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


_REQUEST = re.compile(
    r"\b(?:please|pls|plz|(?:can|could|would|will) (?:you|someone|u)|help me|need (?:help|to|you)|"
    r"i(?:'d| would) like|i want (?:to|you)|let me know)\b"
)
_COMMAND = re.compile(
    r"(?:set|show|book|cancel|order|transfer|change|add|remove|delete|make|turn|play|call|find|"
    r"send|pay|move|put|remind|schedule|stop|start|update|report|freeze|unblock|get|give|connect|"
    r"reset|increase|create|clear|reserve|track|close|switch|share|text|help)\b"
)
_ASKS = re.compile(
    r"(?:what|why|how|when|where|who|which|whose|is|are|do|does|did|has|have|can i|will|would|"
    r"could i|should|may i|am i|any)\b|what's|where's|who's|how's"
)
_TROUBLE = re.compile(
    r"not_|declined|failed|pending|wrong|lost|stolen|unrecogni|twice|not_working|compromised|"
    r"reverted|delay|blocked|swallowed|extra_charge"
)
_PRAISES = re.compile(
    r"\b(?:love|loved|thank|thanks|great|awesome|best|amazing|excellent|perfect|brilliant|"
    r"well done|fantastic|wonderful|good job|recommend|impressed|favou?rite|beautiful|"
    r"happy with|kudos)\b"
)
_COMPLAINS = re.compile(
    r"\b(?:worst|hate|terrible|sucks?|broken|broke|fail(?:s|ed|ing)?|awful|horrible|useless|rubbish|"
    r"not work\w*|doesn'?t work\w*|won'?t|still (?:no|not|waiting|haven)|refund|disappoint\w*|"
    r"problems?|issues?|annoy\w*|crap|ridiculous|ruined|stupid|bad|slow|crash\w*|bug|never|waste)\b"
)


def _semeval(rows: Iterator[dict[str, str]]) -> Iterator[Example]:
    for at, row in enumerate(rows):
        text, feeling = row["text"], row["label"]
        yield Example(text=text, task="sentiment", label=feeling)
        intent = _tweet_intent(text.lower(), feeling)
        if intent is not None and (intent is not Intent.REMARK or at >= SEMEVAL_REMARKS_FROM):
            yield Example(text=text, task="intent", label=intent)
        if at < SEMEVAL_HAM:
            # tweets with their links and shouting; hardly any of this set is advertising
            yield Example(text=text, task="spam", label="ham")


def _tweet_intent(text: str, feeling: str) -> Intent | None:
    if _REQUEST.search(text):
        return Intent.REQUEST if "you" in text or "please" in text or "help" in text else None
    if "?" in text:
        # a question mark in a happy or angry tweet is mostly rhetoric
        return Intent.QUESTION if feeling == Sentiment.NEUTRAL else None
    if feeling == Sentiment.NEGATIVE:
        return Intent.COMPLAINT if _COMPLAINS.search(text) else None
    if feeling == Sentiment.POSITIVE:
        return Intent.PRAISE if _PRAISES.search(text) else Intent.REMARK
    return Intent.REMARK


def _vader(rows: Iterator[dict[str, str]]) -> Iterator[Example]:
    for row in rows:
        text, score = row["text"], float(row["score"])
        feeling = _feeling(score)
        yield Example(text=text, task="sentiment", label=feeling)
        if "?" in text:
            if abs(score) < _FLAT:
                yield Example(text=text, task="intent", label=Intent.QUESTION)
        elif abs(score) < _FLAT:
            yield Example(text=text, task="intent", label=Intent.REMARK)
        elif abs(score) > _VERY_CLEAR:
            wanted = Intent.PRAISE if score > 0 else Intent.COMPLAINT
            yield Example(text=text, task="intent", label=wanted)


def _feeling(score: float) -> Sentiment:
    """From a mean human rating in -4..4. Raters agree on a side from about 0.75 on."""
    if abs(score) <= _CLEAR:
        return Sentiment.NEUTRAL
    return Sentiment.POSITIVE if score > 0 else Sentiment.NEGATIVE


def _banking(rows: Iterator[dict[str, str]]) -> Iterator[Example]:
    for row in rows:
        text = row["text"].lower().strip()
        asked = _asked(text)
        if asked is None and _TROUBLE.search(row["label"]) and "?" not in text:
            asked = Intent.COMPLAINT
        if asked is not None:
            yield Example(text=row["text"], task="intent", label=asked)


def _clinc(rows: Iterator[dict[str, str]]) -> Iterator[Example]:
    for row in rows:
        text = row["text"].lower().strip()
        asked = _asked(text) or (Intent.REQUEST if _COMMAND.match(text) else None)
        if asked is not None:
            yield Example(text=row["text"], task="intent", label=asked)


def _asked(text: str) -> Intent | None:
    """Whether a sentence said to a service asks or requests; None if its surface is unclear."""
    request, question = bool(_REQUEST.search(text)), bool(_ASKS.match(text))
    if request == question:
        return None
    return Intent.REQUEST if request else Intent.QUESTION


def _sms(rows: Iterator[dict[str, str]]) -> Iterator[Example]:
    for row in rows:
        yield Example(text=row["text"], task="spam", label=row["label"])
        if row["label"] == "ham" and (intent := _message_intent(row["text"].lower())) is not None:
            yield Example(text=row["text"], task="intent", label=intent)


def _message_intent(text: str) -> Intent | None:
    """Of a message between friends: what keeps "my" and "is" from looking like a question."""
    if (asked := _asked(text)) is not None:
        return asked
    if "?" in text or _REQUEST.search(text) or _PRAISES.search(text) or _COMPLAINS.search(text):
        return None
    return Intent.REMARK
