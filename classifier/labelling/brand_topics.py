"""What a classifier has to keep apart: each brand's mentions, topics and languages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from classifier.labelling.topics import Topic
from classifier.text.language import DEFAULT_LANGUAGES, Languages
from earshot.domain import Mention

TopicsByBrand = Mapping[str, Sequence[Topic]]
LanguagesByBrand = Mapping[str, Sequence[str]]

NO_LANGUAGES: LanguagesByBrand = MappingProxyType({})
"""Every brand listens in `classifier.text.language.DEFAULT_LANGUAGES`."""

_DIGITS = 6


def versioned(model: str, topics: TopicsByBrand, languages: LanguagesByBrand) -> str:
    """The model's name with a digest of what the brands were told to be: `model+1a2b3c`."""
    told = msgspec.json.encode([dict(topics), dict(languages)], order="deterministic")
    return f"{model}+{hashlib.sha256(told).hexdigest()[:_DIGITS]}"


def places_by_brand(mentions: Sequence[Mention]) -> dict[str, list[int]]:
    """Where each brand's mentions stand in the batch."""
    places: dict[str, list[int]] = {}
    for at, mention in enumerate(mentions):
        places.setdefault(mention.brand, []).append(at)
    return places


class BrandLanguages:
    """The languages of each brand; the default ones where a brand names none."""

    def __init__(self, languages: LanguagesByBrand) -> None:
        self._default = Languages(DEFAULT_LANGUAGES)
        self._own = {brand: Languages(codes) for brand, codes in languages.items()}

    def of(self, brand: str) -> Languages:
        return self._own.get(brand, self._default)
