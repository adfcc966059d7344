"""Which of a brand's queries a post matches, and by which terms. Pure.

Every query hangs in an index on a term that it can't do without: the rarest, as far as the
queries themselves tell. A post is tokenised once, and only the queries whose term it holds
are evaluated, so that many queries cost little more than a few.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from collectors.query import (
    And,
    BadQuery,
    From,
    Lang,
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

Trigger = tuple[str, str]
"""A kind (`token`, `piece` or `from`), and what must be there."""


@dataclass(frozen=True, slots=True)
class Match:
    """The queries that a post matches, by name, and the terms of theirs that it holds.

    False where no query matches.
    """

    queries: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.queries)


@dataclass(frozen=True, slots=True)
class _Text:
    """A post made ready for comparing: where each token stands, and who wrote it in what."""

    whole: str
    places: Mapping[str, Sequence[int]]
    authors: frozenset[str]
    lang: str


@dataclass(frozen=True, slots=True)
class Matcher:
    """Compiled queries. Immutable: make another when they change."""

    _names: Sequence[str]
    _trees: Sequence[Node]
    _by_token: Mapping[str, Sequence[int]]
    _by_author: Mapping[str, Sequence[int]]
    _by_piece: Mapping[str, Sequence[int]]
    _pieces: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def match(self, post: Post) -> Match:
        """The queries that `post` matches, in the order in which they were given."""
        text = _read(post)
        hit = [
            number for number in sorted(self._candidates(text)) if holds(self._trees[number], text)
        ]
        if not hit:
            return Match()
        terms = (term for number in hit for term in _terms(self._trees[number], text))
        return Match(tuple(self._names[number] for number in hit), tuple(dict.fromkeys(terms)))

    def _candidates(self, text: _Text) -> set[int]:
        found: set[int] = set()
        for token in text.places.keys() & self._by_token.keys():
            found.update(self._by_token[token])
        for name in text.authors & self._by_author.keys():
            found.update(self._by_author[name])
        for first in self._pieces.keys() & set(text.whole):
            for piece in self._pieces[first]:
                if piece in text.whole:
                    found.update(self._by_piece[piece])
        return found


def compile_queries(queries: Mapping[str, str]) -> Matcher:
    """A matcher of `queries` (name to expression). Raises BadQuery that names the query."""
    trees: dict[str, Node] = {}
    for name, query in queries.items():
        try:
            trees[name] = parse(query)
        except BadQuery as error:
            raise BadQuery(f"query {name!r}: {error}") from error
    common = Counter(trigger for tree in trees.values() for trigger in _all_triggers(tree))
    index: dict[str, dict[str, list[int]]] = {kind: defaultdict(list) for kind in _KINDS}
    for number, (name, tree) in enumerate(trees.items()):
        triggers = _triggers(tree, common)
        if triggers is None:
            raise BadQuery(
                f"query {name!r}: only says what must not be there, or a language: it needs "
                "a word, a phrase or from: that must"
            )
        for kind, value in triggers:
            index[kind][value].append(number)
    pieces: dict[str, list[str]] = defaultdict(list)
    for piece in index["piece"]:
        pieces[piece[0]].append(piece)
    return Matcher(
        tuple(trees),
        tuple(trees.values()),
        dict(index["token"]),
        dict(index["from"]),
        dict(index["piece"]),
        dict(pieces),
    )


_KINDS = ("token", "from", "piece")


def _triggers(node: Node, common: Counter[Trigger]) -> frozenset[Trigger] | None:
    """A set of which at least one must be there where `node` holds; None if there is none."""
    match node:
        case Words(_, tokens):
            best = min(tokens, key=lambda token: (common["token", token], -len(token)))
            return frozenset({("token", best)})
        case Piece(text):
            return frozenset({("piece", text)})
        case From(name):
            return frozenset({("from", name)})
        case And(parts):
            found = [one for part in parts if (one := _triggers(part, common)) is not None]
            return min(found, key=lambda one: _cost(one, common)) if found else None
        case Or(parts):
            every = [_triggers(part, common) for part in parts]
            known = [one for one in every if one is not None]
            return frozenset().union(*known) if len(known) == len(every) else None
        case Lang() | Not():
            return None


def _cost(triggers: frozenset[Trigger], common: Counter[Trigger]) -> tuple[int, int]:
    """How often triggers will fire, as far as the queries tell: common words, then short ones."""
    return sum(common[trigger] for trigger in triggers), -min(len(value) for _, value in triggers)


def _all_triggers(node: Node) -> Iterator[Trigger]:
    match node:
        case Words(_, tokens):
            yield from (("token", token) for token in tokens)
        case And(parts) | Or(parts):
            for part in parts:
                yield from _all_triggers(part)
        case _:
            return


def _read(post: Post) -> _Text:
    whole = normalise(post.text)
    places: dict[str, list[int]] = defaultdict(list)
    for place, token in enumerate(tokens_of(whole)):
        places[token].append(place)
        if token[0] in "#@$":
            places[token[1:]].append(place)
    author = post.author
    names = (normalise(name).removeprefix("@") for name in (author.handle, author.id) if name)
    return _Text(whole, places, frozenset(names), normalise(post.lang))


def holds(node: Node, text: _Text) -> bool:
    """True if `node` is true of `text`."""
    match node:
        case Words(_, tokens):
            true = _stands(tokens, text)
        case Piece(piece):
            true = piece in text.whole
        case From(name):
            true = name in text.authors
        case Lang(code):
            true = text.lang == code or text.lang.startswith(f"{code}-")
        case Not(inner):
            true = not holds(inner, text)
        case And(parts):
            true = all(holds(part, text) for part in parts)
        case Or(parts):
            true = any(holds(part, text) for part in parts)
    return true


def _stands(tokens: Sequence[str], text: _Text) -> bool:
    starts = text.places.get(tokens[0], ())
    if len(tokens) == 1:
        return bool(starts)
    rest = [set(text.places.get(token, ())) for token in tokens[1:]]
    return any(
        all(start + step in places for step, places in enumerate(rest, start=1)) for start in starts
    )


def _terms(node: Node, text: _Text) -> Iterator[str]:
    """The terms of `node` that stand in `text` and are wanted there."""
    match node:
        case Words(term, _) | Piece(term):
            if holds(node, text):
                yield term
        case And(parts) | Or(parts):
            for part in parts:
                yield from _terms(part, text)
        case From() | Lang() | Not():
            return
