"""A classifier of rules alone: word lists and the surface of the sentence.

It needs no model file, so it is what runs where none is present, and it is the baseline that
a trained model must beat. English only, apart from telling languages apart. Its confidences
are the shares of right answers that `classifier.evaluate` found on public text, rounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from classifier.labelling.brand_topics import (
    NO_LANGUAGES,
    BrandLanguages,
    LanguagesByBrand,
    TopicsByBrand,
    places_by_brand,
    versioned,
)
from classifier.labelling.urgency import urgency
from classifier.text.language import is_said_to_be
from classifier.text.lexicon import BAD, DENIALS, EMPTY, GOOD
from classifier.text.normalization import LINK, normalise
from earshot.domain import WANTING, Classification, Intent, Label, Mention, Sentiment

VERSION = "rules-1"

_DENIAL_REACH = 3

_REQUEST = re.compile(
    r"\b(?:please|pls|(?:can|could|would|will) you|help me|need (?:help|you|to)|"
    r"i(?:'d| would) like|i want (?:to|you)|call me|dm me|send me|get back to me)\b"
)
_QUESTION = re.compile(
    r"\?|^(?:what|why|how|when|where|who|which|is|are|do|does|did|can|could|has|have|will|any)\b"
)
_SPAM = re.compile(
    r"\b(?:giveaway|airdrop|crypto signals?|free (?:gift|iphone|money|spins|followers)|"
    r"casino|viagra|you(?:'ve| have)? (?:won|been selected)|claim your|guaranteed profit|"
    r"work from home|click here|link in bio|(?:earn|make) \$?\d+|dm me now|no credit check|"
    r"followers cheap|telegram group|promote it on)\b"
)
_TOKEN = re.compile(r"[\w'@#-]+|[:;][-']?[()d]|[^\s\w]")
_WORD = re.compile(r"[^\W\d_]{3,}")
_CONFIDENCE = {"sentiment": 0.6, "guess": 0.5, "intent": 0.7, "spam": 0.8, "ham": 0.9}
_WANTS_ANSWER = {Intent.REMARK: 0.35, Intent.PRAISE: 0.1} | dict.fromkeys(WANTING, 0.9)
"""How many authors want an answer, by intent: what the rules found on sentences of our own."""
_LANGUAGE = "en"
_TOPIC_SURE, _TOPIC_STEP, _TOPIC_MOST = 0.5, 0.15, 0.9
_MAX_REASONS = 3


class RuleClassifier:
    """A `Classifier` by rules. A topic fits when the text has its words."""

    def __init__(
        self,
        topics_by_brand: TopicsByBrand,
        languages_by_brand: LanguagesByBrand = NO_LANGUAGES,
    ) -> None:
        self.version = versioned(VERSION, topics_by_brand, languages_by_brand)
        self._topics = {
            brand: {topic.name: _content(" ".join(topic.texts)) for topic in topics}
            for brand, topics in topics_by_brand.items()
        }
        self._languages = BrandLanguages(languages_by_brand)

    def classify(self, mentions: Sequence[Mention]) -> list[Classification]:
        """One classification for each mention, in order."""
        judged: dict[int, Classification] = {}
        for brand, places in places_by_brand(mentions).items():
            texts = [normalise(mentions[at].text) for at in places]
            said = [mentions[at].lang for at in places]
            languages = self._languages.of(brand).labels(said, texts)
            for at, text, language in zip(places, texts, languages, strict=True):
                judged[at] = self._one(mentions[at], text, language)
        return [judged[at] for at in range(len(mentions))]

    def _one(self, mention: Mention, text: str, language: Label) -> Classification:
        feeling, asked, spam = sentiment(text), intent(text), advertising(text)
        return Classification(
            model=self.version,
            lang=language,
            sentiment=feeling,
            intent=asked,
            urgency=urgency(
                text, asked, feeling, reach=mention.author.reach, spam=spam.value == "spam"
            ),
            spam=spam,
            topics=_topics(text, self._topics.get(mention.brand, {})),
            wants_answer=_WANTS_ANSWER[Intent(asked.value)],
            lang_known=language.value == _LANGUAGE and is_said_to_be(mention.lang, _LANGUAGE),
        )


def sentiment(text: str) -> Label:
    """Good words against bad words; a denial up to three words before turns one round."""
    score, found = 0, []
    tokens = _TOKEN.findall(text)
    for at, token in enumerate(tokens):
        worth = (token in GOOD) - (token in BAD)
        if not worth:
            continue
        before = tokens[max(at - _DENIAL_REACH, 0) : at]
        denied = not DENIALS.isdisjoint(before)
        worth = -worth if denied else worth
        score += worth
        found.append((worth, f"not {token}" if denied else token))
    if score == 0:
        return Label(value=Sentiment.NEUTRAL, confidence=_CONFIDENCE["guess"])
    spoke = [word for worth, word in found if worth * score > 0]
    value = Sentiment.POSITIVE if score > 0 else Sentiment.NEGATIVE
    return Label(
        value=value,
        confidence=_CONFIDENCE["sentiment"],
        reasons=tuple(dict.fromkeys(spoke))[:_MAX_REASONS],
    )


def intent(text: str) -> Label:
    """The sentence's form first, then its mood."""
    if found := _REQUEST.search(text):
        return Label(value=Intent.REQUEST, confidence=_CONFIDENCE["intent"], reasons=(found[0],))
    if found := _QUESTION.search(text):
        return Label(value=Intent.QUESTION, confidence=_CONFIDENCE["intent"], reasons=(found[0],))
    feeling = sentiment(text)
    if feeling.value == Sentiment.NEUTRAL:
        return Label(value=Intent.REMARK, confidence=_CONFIDENCE["guess"])
    value = Intent.PRAISE if feeling.value == Sentiment.POSITIVE else Intent.COMPLAINT
    return Label(value=value, confidence=_CONFIDENCE["intent"], reasons=feeling.reasons)


def advertising(text: str) -> Label:
    """`spam` where the phrases of spam stand, else `ham`."""
    found = list(dict.fromkeys(_SPAM.findall(text)))
    if not found:
        return Label(value="ham", confidence=_CONFIDENCE["ham"])
    reasons = [*found, "link"] if f" {LINK} " in text else found
    return Label(
        value="spam", confidence=_CONFIDENCE["spam"], reasons=tuple(reasons[:_MAX_REASONS])
    )


def _topics(text: str, topics: Mapping[str, frozenset[str]]) -> tuple[Label, ...]:
    words = _content(text)
    shared = {name: sorted(words & known) for name, known in topics.items()}
    ranked = sorted(
        ((name, found) for name, found in shared.items() if found), key=lambda pair: -len(pair[1])
    )
    return tuple(
        Label(
            value=name,
            confidence=min(_TOPIC_SURE + _TOPIC_STEP * (len(found) - 1), _TOPIC_MOST),
            reasons=tuple(found[:_MAX_REASONS]),
        )
        for name, found in ranked[:_MAX_REASONS]
    )


def _content(text: str) -> frozenset[str]:
    """The words that mean something, without a plural's s."""
    return frozenset(
        word.removesuffix("s") for word in _WORD.findall(normalise(text)) if word not in EMPTY
    )
