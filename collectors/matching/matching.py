"""Which of a brand's queries a post matches, and by which terms. Pure.

The queries ask about words, phrases, pieces of text, authors and languages: their leaves.
`collectors.matching.terms` finds those that are true of a post. What follows from a set of
true leaves is worked out once: posts that say nothing new, as most do, are then settled by one
look into a table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from collectors.contract.source import Post
from collectors.matching.query import (
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
    parse,
)
from collectors.matching.terms import FEW, Index

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

    def __init__(self, trees: Mapping[str, Node], few: int = FEW) -> None:
        """`trees` by the queries' names. Raises BadQuery for one that needs nothing to be there.

        `few` is for `collectors.matching.terms`; it changes how fast this is, and nothing else.
        """
        self._names = tuple(trees)
        self._trees = tuple(trees.values())
        self._leaves = tuple(dict.fromkeys(leaf for tree in self._trees for leaf in leaves(tree)))
        self._needing = _needing(trees)
        self._index = Index(self._leaves, few)
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
