"""Which of a brand's queries a post matches, and by which terms. Pure.

The queries ask about words, phrases, pieces of text, authors and languages: their leaves. One
pass over a post finds the leaves that are true of it, by looking its words up, so that many
queries cost hardly more than a few. What follows from a set of true leaves is worked out once:
posts that say nothing new, as most do, are then settled by one look into a table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from collectors.query import (
    SIGNS,
    And,
    BadQuery,
    From,
    Lang,
    Leaf,
    Node,
    Not,
    Or,
    Piece,
    Words,
    normalise,
    parse,
    tokens_of,
)
from collectors.source import Post

REMEMBERED = 4_096
"""For how many sets of true leaves the outcome is kept."""


@dataclass(frozen=True, slots=True)
class Match:
    """The queries that a post matches, by name, and the terms of theirs that it holds.

    False where no query matches.
    """

    queries: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.queries)


class Matcher:
    """Compiled queries. Make another when they change."""

    def __init__(self, trees: Mapping[str, Node]) -> None:
        """`trees` by the queries' names. Raises BadQuery for one that needs nothing to be there."""
        self._names = tuple(trees)
        self._trees = tuple(trees.values())
        self._leaves = tuple(dict.fromkeys(leaf for tree in self._trees for leaf in leaves(tree)))
        self._needing = _needing(trees)
        self._index = _Index(self._leaves)
        self._outcome = lru_cache(maxsize=REMEMBERED)(self._settle)

    def match(self, post: Post) -> Match:
        """The queries that `post` matches, in the order in which they were given."""
        return self._outcome(self._index.true_of(post))

    def _settle(self, numbers: frozenset[int]) -> Match:
        true = {self._leaves[number] for number in numbers}
        candidates = {number for leaf in true for number in self._needing.get(leaf, ())}
        hit = [number for number in sorted(candidates) if holds(self._trees[number], true)]
        terms = (term for number in hit for term in _terms(self._trees[number], true))
        return Match(tuple(self._names[number] for number in hit), tuple(dict.fromkeys(terms)))


def compile_queries(queries: Mapping[str, str]) -> Matcher:
    """A matcher of `queries` (name to expression). Raises BadQuery that names the query."""
    trees: dict[str, Node] = {}
    for name, query in queries.items():
        try:
            trees[name] = parse(query)
        except BadQuery as error:
            raise BadQuery(f"query {name!r}: {error}") from error
    return Matcher(trees)


def leaves(node: Node) -> Iterator[Leaf]:
    """The leaves of a tree from left to right, those below a NOT too."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(inner):
            yield from leaves(inner)
        case Words() | Piece() | From() | Lang():
            yield node


def holds(node: Node, true: AbstractSet[Leaf]) -> bool:
    """Whether `node` holds where exactly the leaves `true` do."""
    match node:
        case And(parts):
            return all(holds(part, true) for part in parts)
        case Or(parts):
            return any(holds(part, true) for part in parts)
        case Not(inner):
            return not holds(inner, true)
        case Words() | Piece() | From() | Lang():
            return node in true


def _terms(node: Node, true: AbstractSet[Leaf]) -> Iterator[str]:
    """The terms of `node` that are there and wanted there."""
    match node:
        case Words(term, _) | Piece(term):
            if node in true:
                yield term
        case And(parts) | Or(parts):
            for part in parts:
                yield from _terms(part, true)
        case From() | Lang() | Not():
            return


# ------------------------------------------------------------ from queries to what they need


def _needing(trees: Mapping[str, Node]) -> Mapping[Leaf, Sequence[int]]:
    """The numbers of the queries to try where a leaf is true.

    Each query hangs on leaves of which it can't do without all: the rarest, as far as the
    queries themselves tell, so that few are tried in vain.
    """
    common = Counter(leaf for tree in trees.values() for leaf in leaves(tree))
    needing: dict[Leaf, list[int]] = defaultdict(list)
    for number, (name, tree) in enumerate(trees.items()):
        needed = _needs(tree, common)
        if needed is None:
            raise BadQuery(
                f"query {name!r}: only says what must not be there, or a language: it needs "
                "a word, a phrase or from: that must"
            )
        for leaf in needed:
            needing[leaf].append(number)
    return dict(needing)


def _needs(node: Node, common: Counter[Leaf]) -> frozenset[Leaf] | None:
    """Leaves of which at least one is true where `node` holds; None if there are none."""
    match node:
        case Words() | Piece() | From():
            return frozenset({node})
        case And(parts):
            found = [one for part in parts if (one := _needs(part, common)) is not None]
            return min(found, key=lambda some: sum(common[leaf] for leaf in some), default=None)
        case Or(parts):
            every = [_needs(part, common) for part in parts]
            known = [one for one in every if one is not None]
            return frozenset().union(*known) if len(known) == len(every) else None
        case Lang() | Not():
            return None


# ------------------------------------------------------------ from a post to what is true of it


class _Index:
    """Leaves by what they look for. A leaf is named by its place in `leaves`."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        words: dict[str, list[int]] = defaultdict(list)
        phrases: dict[str, list[tuple[int, Sequence[str]]]] = defaultdict(list)
        self._pieces: list[tuple[str, int]] = []
        self._authors: dict[str, int] = {}
        self._langs: list[tuple[str, int]] = []
        for number, leaf in enumerate(leaves):
            match leaf:
                case Words(_, (token,)):
                    for spelled in _spellings(token):
                        words[spelled].append(number)
                case Words(_, tokens):
                    for spelled in _spellings(tokens[0]):
                        phrases[spelled].append((number, tokens))
                case Piece(piece):
                    self._pieces.append((piece, number))
                case From(name):
                    self._authors[name] = number
                case Lang(code):
                    self._langs.append((code, number))
        self._words, self._phrases = dict(words), dict(phrases)

    def true_of(self, post: Post) -> frozenset[int]:
        """The leaves that are true of `post`."""
        text = normalise(post.text)
        tokens = tokens_of(text)
        said = set(tokens)
        true = [number for token in self._words.keys() & said for number in self._words[token]]
        if begun := self._phrases.keys() & said:
            places = _places(tokens)
            for number, phrase in (one for token in begun for one in self._phrases[token]):
                if _stands(phrase, places):
                    true.append(number)
        if self._pieces:
            true += [number for piece, number in self._pieces if piece in text]
        if self._authors:
            true += self._written_by(post)
        if self._langs:
            lang = normalise(post.lang)
            true += [n for code, n in self._langs if lang == code or lang.startswith(f"{code}-")]
        return frozenset(true)

    def _written_by(self, post: Post) -> Iterator[int]:
        for name in (post.author.handle, post.author.id):
            number = self._authors.get(normalise(name).removeprefix("@"))
            if number is not None:
                yield number


def _spellings(token: str) -> Sequence[str]:
    """The tokens of a text that `token` finds: a bare word finds itself behind a sign too."""
    return (token,) if token[0] in SIGNS else (token, *(sign + token for sign in SIGNS))


def _places(tokens: Sequence[str]) -> Mapping[str, AbstractSet[int]]:
    """Where each token stands, the signed ones without their sign as well."""
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
