"""Which of a brand's queries a post matches, and by which terms. Pure.

The queries ask about words, phrases, pieces of text, authors and languages: their terms.
`collectors.matching.terms` finds those that are true of a post. What follows from a set of
true terms is worked out once: posts that say nothing new, as most do, are then settled by one
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
    Node,
    Not,
    Or,
    Piece,
    Term,
    Words,
    parse,
)
from collectors.matching.terms import FEW, TermIndex

REMEMBERED = 4_096
"""For how many sets of true terms the outcome is kept."""


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
        self._terms = tuple(dict.fromkeys(term for tree in self._trees for term in terms_of(tree)))
        self._needing = _needing(trees)
        self._index = TermIndex(self._terms, few)
        self._outcome = lru_cache(maxsize=REMEMBERED)(self._settle)

    def match(self, post: Post) -> Match:
        """The queries that `post` matches, in the order in which they were given."""
        return self._outcome(self._index.true_of(post))

    def _settle(self, numbers: frozenset[int]) -> Match:
        true = {self._terms[number] for number in numbers}
        candidates = {number for term in true for number in self._needing.get(term, ())}
        hit = [number for number in sorted(candidates) if holds(self._trees[number], true)]
        terms = (term for number in hit for term in _words(self._trees[number], true))
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


def terms_of(node: Node) -> Iterator[Term]:
    """The terms of a tree from left to right, those below a NOT too."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from terms_of(part)
        case Not(inner):
            yield from terms_of(inner)
        case Words() | Piece() | From() | Lang():
            yield node


def holds(node: Node, true: AbstractSet[Term]) -> bool:
    """Whether `node` holds where exactly the terms `true` do."""
    match node:
        case And(parts):
            return all(holds(part, true) for part in parts)
        case Or(parts):
            return any(holds(part, true) for part in parts)
        case Not(inner):
            return not holds(inner, true)
        case Words() | Piece() | From() | Lang():
            return node in true


def _words(node: Node, true: AbstractSet[Term]) -> Iterator[str]:
    """The terms of `node` that are there and wanted there."""
    match node:
        case Words(term, _) | Piece(term):
            if node in true:
                yield term
        case And(parts) | Or(parts):
            for part in parts:
                yield from _words(part, true)
        case From() | Lang() | Not():
            return


# ------------------------------------------------------------ from queries to what they need


def _needing(trees: Mapping[str, Node]) -> Mapping[Term, Sequence[int]]:
    """The numbers of the queries to try where a term is true.

    Each query hangs on terms of which it can't do without all: the rarest, as far as the
    queries themselves tell, so that few are tried in vain.
    """
    common = Counter(term for tree in trees.values() for term in terms_of(tree))
    needing: dict[Term, list[int]] = defaultdict(list)
    for number, (name, tree) in enumerate(trees.items()):
        needed = _needs(tree, common)
        if needed is None:
            raise BadQuery(
                f"query {name!r}: only says what must not be there, or a language: it needs "
                "a word, a phrase or from: that must"
            )
        for term in needed:
            needing[term].append(number)
    return dict(needing)


def _needs(node: Node, common: Counter[Term]) -> frozenset[Term] | None:
    """Leaves of which at least one is true where `node` holds; None if there are none."""
    match node:
        case Words() | Piece() | From():
            return frozenset({node})
        case And(parts):
            found = [one for part in parts if (one := _needs(part, common)) is not None]
            return min(found, key=lambda some: sum(common[term] for term in some), default=None)
        case Or(parts):
            every = [_needs(part, common) for part in parts]
            known = [one for one in every if one is not None]
            return frozenset().union(*known) if len(known) == len(every) else None
        case Lang() | Not():
            return None
