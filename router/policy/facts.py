"""What a policy's conditions may ask about an item and about an agent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from earshot.domain import WANTING, Classification, Classified, Intent, Sentiment, Urgency
from router.policy.expression import Fields


class AuthorFacts(TypedDict):
    """The fields of `item.author`."""

    name: str
    handle: str
    reach: int


class ItemFacts(TypedDict):
    """The fields of `item`; `item_facts` says what each means."""

    topic: str
    topics: list[str]
    topic_confidence: float
    sentiment: float
    sentiment_label: str
    intent: str
    intent_confidence: float
    wants_answer: float
    urgency: str
    spam: float
    lang: str
    lang_known: bool
    addressed: bool
    platform: str
    source: str
    reach: int
    author: AuthorFacts
    confidence: float
    text_length: int
    can_reply: bool
    reopened: bool


class AgentFacts(TypedDict):
    """The fields of `agent`; `agent_facts` says what each means."""

    teams: list[str]
    langs: list[str]
    skills: dict[str, int]
    roles: list[str]
    slots: int


_SIGN = {Sentiment.NEGATIVE: -1.0, Sentiment.POSITIVE: 1.0}


def item_facts(classified: Classified, *, reopened: bool = False) -> ItemFacts:
    """The fields of `item`.

    `sentiment` runs from -1 (surely negative) to 1 (surely positive), `spam` is the
    probability of it; `wants_answer` is that of question, complaint and request together, which
    may be high where no single intent is. `topic` is the likeliest of `topics`, or empty.
    `confidence` is that of the least sure of topic, intent and sentiment. `lang_known` says that
    the model was taught the language, `addressed` that the post speaks to the brand, `reopened`
    that the thread had come to an end before.
    """
    mention, said = classified.mention, classified.classification
    author = mention.author
    topics = [topic.value for topic in said.topics]
    topic_confidence = said.topics[0].confidence if topics else 1.0
    feeling = said.sentiment
    spam = said.spam.confidence
    return {
        "topic": topics[0] if topics else "",
        "topics": topics,
        "topic_confidence": topic_confidence,
        "sentiment": _SIGN.get(feeling.value, 0.0) * feeling.confidence,  # type: ignore[call-overload]  # a StrEnum is its value
        "sentiment_label": feeling.value,
        "intent": said.intent.value,
        "intent_confidence": said.intent.confidence,
        "wants_answer": _wants_answer(said),
        "urgency": said.urgency.value,
        "spam": spam if said.spam.value == "spam" else 1.0 - spam,
        "lang": said.lang.value,
        "lang_known": said.lang_known,
        "addressed": mention.addressed,
        "platform": mention.platform,
        "source": mention.source,
        "reach": author.reach,
        "author": {"name": author.name, "handle": author.handle, "reach": author.reach},
        "confidence": min(topic_confidence, said.intent.confidence, feeling.confidence),
        "text_length": len(mention.text),
        "can_reply": mention.can_reply,
        "reopened": reopened,
    }


def _wants_answer(said: Classification) -> float:
    """What the classifier said, or, of a release that did not, what its likeliest intent says."""
    if said.wants_answer is not None:
        return said.wants_answer
    sure = said.intent.confidence
    return sure if said.intent.value in WANTING else 1.0 - sure


def agent_facts(
    *,
    teams: Sequence[str],
    langs: Sequence[str],
    skills: Mapping[str, int],
    roles: Sequence[str],
    slots: int,
) -> AgentFacts:
    """The fields of `agent`; `skills` maps a skill to a level from 1 to 3, 0 if not named."""
    return {
        "teams": list(teams),
        "langs": list(langs),
        "skills": dict(skills),
        "roles": list(roles),
        "slots": slots,
    }


def _sample(*, full: bool) -> ItemFacts:
    one = 1 if full else 0
    word = "word" if full else ""
    return {
        "topic": word,
        "topics": [word] * one,
        "topic_confidence": 0.5 * one,
        "sentiment": -0.5 * one,
        "sentiment_label": str(Sentiment.NEGATIVE),
        "intent": str(Intent.QUESTION),
        "intent_confidence": 0.5 * one,
        "wants_answer": 0.5 * one,
        "urgency": str(Urgency.NORMAL),
        "spam": 0.5 * one,
        "lang": word,
        "lang_known": full,
        "addressed": full,
        "platform": word,
        "source": word,
        "reach": one,
        "author": {"name": word, "handle": word, "reach": one},
        "confidence": 0.5 * one,
        "text_length": one,
        "can_reply": full,
        "reopened": full,
    }


ITEM = Fields(
    ({"item": _sample(full=True)}, {"item": _sample(full=False)}),
    words={
        "item.sentiment_label": tuple(map(str, Sentiment)),
        "item.intent": tuple(map(str, Intent)),
        "item.urgency": tuple(map(str, Urgency)),
    },
)

AGENT = Fields(
    (
        {"agent": agent_facts(teams=["word"], langs=["word"], skills={}, roles=["word"], slots=1)},
        {"agent": agent_facts(teams=[], langs=[], skills={}, roles=[], slots=0)},
    ),
    open_maps=frozenset({"agent.skills"}),
)
