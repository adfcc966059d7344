"""Which terms of some queries are true of a post. Pure.

Words are found in one of two ways. Where the queries have few, each is sought in the text, which
needs no list of the text's words; where they have many, the text's words are looked up, so that
a thousand cost hardly more than fifty.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from collectors.contract.source import Post
from collectors.matching.query import (
    SIGNS,
    From,
    Lang,
    Piece,
    Term,
    Words,
    in_word,
    normalise,
    tokens_of,
)

FEW = 50
"""Up to so many words, seeking each is faster than reading the text's words."""


class TermIndex:
    """Terms by what they look for. A term is named by its place in `terms`."""

    def __init__(self, terms: Sequence[Term], few: int = FEW) -> None:
        self._single: list[tuple[str, int]] = []
        self._phrases: list[tuple[Sequence[str], int]] = []
        self._pieces: list[tuple[str, int]] = []
        self._authors: dict[str, int] = {}
        self._langs: list[tuple[str, int]] = []
        for number, term in enumerate(terms):
            match term:
                case Words(_, (token,)):
                    self._single.append((token, number))
                case Words(_, tokens):
                    self._phrases.append((tokens, number))
                case Piece(piece):
                    self._pieces.append((piece, number))
                case From(name):
                    self._authors[name] = number
                case Lang(code):
                    self._langs.append((code, number))
        self._few = len(self._single) + len(self._phrases) <= few
        self._by_word = _by_spelling(self._single)
        self._by_first = _by_spelling([(phrase[0], n) for phrase, n in self._phrases])
        self._phrase = {number: phrase for phrase, number in self._phrases}

    def true_of(self, post: Post) -> frozenset[int]:
        """The terms that are true of `post`."""
        text = normalise(post.text)
        true = self._sought(text) if self._few else self._looked_up(text)
        if self._pieces:
            true += [number for piece, number in self._pieces if piece in text]
        if self._authors:
            true += self._written_by(post)
        if self._langs:
            lang = normalise(post.lang)
            true += [n for code, n in self._langs if lang == code or lang.startswith(f"{code}-")]
        return frozenset(true)

    def _sought(self, text: str) -> list[int]:
        true = [n for word, n in self._single if word in text and stands_alone(word, text)]
        likely = [n for phrase, n in self._phrases if all(word in text for word in phrase)]
        return true + self._standing(likely, text) if likely else true

    def _looked_up(self, text: str) -> list[int]:
        said = set(tokens_of(text))
        true = [n for token in self._by_word.keys() & said for n in self._by_word[token]]
        likely = [n for token in self._by_first.keys() & said for n in self._by_first[token]]
        return true + self._standing(likely, text) if likely else true

    def _standing(self, phrases: Sequence[int], text: str) -> list[int]:
        places = _places(tokens_of(text))
        return [number for number in phrases if _stands(self._phrase[number], places)]

    def _written_by(self, post: Post) -> Iterator[int]:
        for name in (post.author.handle, post.author.id):
            number = self._authors.get(normalise(name).removeprefix("@"))
            if number is not None:
                yield number


def stands_alone(word: str, text: str) -> bool:
    """Whether `word` is one of the text's words, or one behind its sign; both normalised."""
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        begins = at == 0 or word[0] in SIGNS or not in_word(text[at - 1])
        if begins and (end == len(text) or not in_word(text[end])):
            return True
        at = text.find(word, at + 1)
    return False


def _by_spelling(words: Sequence[tuple[str, int]]) -> Mapping[str, Sequence[int]]:
    """Numbers by the tokens that a word finds: a bare one finds itself behind a sign too."""
    found: dict[str, list[int]] = defaultdict(list)
    for word, number in words:
        found[word].append(number)
        if word[0] not in SIGNS:
            for sign in SIGNS:
                found[sign + word].append(number)
    return dict(found)


def _places(tokens: Sequence[str]) -> Mapping[str, AbstractSet[int]]:
    """Where each token is, the signed ones without their sign as well."""
    places: dict[str, set[int]] = defaultdict(set)
    for place, token in enumerate(tokens):
        places[token].add(place)
        if token[0] in SIGNS:
            places[token[1:]].add(place)
    return places


def _stands(phrase: Sequence[str], places: Mapping[str, AbstractSet[int]]) -> bool:
    """Whether the words of `phrase` follow each other somewhere."""
    first, *rest = (places.get(token, frozenset()) for token in phrase)
    return any(
        all(start + step in there for step, there in enumerate(rest, start=1)) for start in first
    )
