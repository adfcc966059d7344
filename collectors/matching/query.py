"""The query language: what a brand's operator writes, parsed into a tree. Pure.

    acme "acme corp" (acme OR acmeco) -jobs NOT (job OR hiring) #acme @acme from:bob lang:en

Words that follow each other must all occur; AND says the same and binds tighter than OR, as
on X; `|` is OR. The operators are written in capitals. Quotes, parentheses and the minus may be
of any typography, which word processors and keyboards put in by themselves.

A word also finds itself behind # or @; `#acme` finds the tag only. Chinese, Japanese, Korean,
Thai and their like have no spaces between words, and emoji are no words: such terms are found
anywhere in the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from lark import (
    Lark,
    ParseTree,
    Token,
    Transformer,
    UnexpectedCharacters,
    UnexpectedInput,
    UnexpectedToken,
)
from lark.exceptions import VisitError

LENGTH_LIMIT = 4_000
DEPTH_LIMIT = 40
FIELDS = ("from", "lang")

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WITHOUT_SPACES = re.compile(f"[{_UNSPACED}]")
SIGNS = "#@$"
"""What may come before a word and makes a tag, a handle or a share of it."""

_QUOTES = (
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}\N{DOUBLE LOW-9 QUOTATION MARK}"
    "\N{DOUBLE HIGH-REVERSED-9 QUOTATION MARK}\N{LEFT-POINTING DOUBLE ANGLE QUOTATION MARK}"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{FULLWIDTH QUOTATION MARK}"
    "\N{LEFT CORNER BRACKET}\N{RIGHT CORNER BRACKET}"
    "\N{LEFT WHITE CORNER BRACKET}\N{RIGHT WHITE CORNER BRACKET}"
)
_MINUSES = (
    "\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{EN DASH}\N{EM DASH}"
    "\N{FULLWIDTH HYPHEN-MINUS}"
)
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys(_QUOTES, '"')
    | dict.fromkeys(_MINUSES, "-")
    | {
        "\N{FULLWIDTH LEFT PARENTHESIS}": "(",
        "\N{FULLWIDTH RIGHT PARENTHESIS}": ")",
        "\N{FULLWIDTH COLON}": ":",
        "\N{FULLWIDTH VERTICAL LINE}": "|",
        "\N{FULLWIDTH COMMERCIAL AT}": "@",
        "\N{FULLWIDTH NUMBER SIGN}": "#",
    }
)
"""What stands for a sign of the language: one character for one, so that columns stay."""

_TOKEN = re.compile(rf"[{SIGNS}]?[^\W{_UNSPACED}]+")
_ASCII_TOKEN = re.compile(rf"[{SIGNS}]?\w+", re.ASCII)
_GRAMMAR = r"""
    ?start: either
    ?either: every (_OR every)*
    ?every: part (_AND? part)*
    ?part: (_NOT | _MINUS) atom -> negation
         | atom
    ?atom: _OPEN either _CLOSE
         | FIELD (TERM | PHRASE) -> field
         | TERM -> term
         | PHRASE -> term
    _OR.3: /OR(?![^\s()"])|\|{1,2}/
    _AND.3: /AND(?![^\s()"])/
    _NOT.3: /NOT(?![^\s()"])/
    _MINUS.3: /-(?=\S)/
    _OPEN: "("
    _CLOSE: ")"
    FIELD.2: /(from|lang):/
    PHRASE: /"[^"]*"/
    TERM: /(?!(?:AND|OR|NOT)(?![^\s()"]))[^\s()":|-][^\s()":|]*/
    %ignore /\s+/
"""
_NAMES = {
    "TERM": "a word",
    "PHRASE": 'a "phrase"',
    "FIELD": "from: or lang:",
    "_OPEN": "(",
    "_CLOSE": ")",
    "_NOT": "NOT",
    "_MINUS": "-",
    "_OR": "OR",
    "_AND": "AND",
    "$END": "the end",
}


class BadQuery(ValueError):
    """A query that can't be understood; the message names the column and what was expected."""


@dataclass(frozen=True, slots=True)
class Words:
    """One word, or several that must follow each other. `text` is what the operator wrote."""

    text: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters to be found anywhere in the normalised text."""

    text: str


@dataclass(frozen=True, slots=True)
class From:
    """The author's handle or id is `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Lang:
    """The platform says that the post is in the language `code`."""

    code: str


@dataclass(frozen=True, slots=True)
class Not:
    of: Node


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Node, ...]


Term = Words | Piece | From | Lang
"""What is true of a post or not."""

Node = Term | Not | And | Or


def normalise(text: str) -> str:
    """`text` as it is compared: NFKC, case folded, single spaces, no variation selectors."""
    if text.isascii():  # most texts: NFKC and folding come to this, at a tenth of the time
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.replace("\ufe0f", "").split())


def tokens_of(normalised: str) -> list[str]:
    """The words of a normalised text, tags and handles with their sign."""
    return (_ASCII_TOKEN if normalised.isascii() else _TOKEN).findall(normalised)


def in_word(char: str) -> bool:
    """Whether a character of a normalised text is one of those that words are made of."""
    if char.isascii():
        return char.isalnum() or char == "_"
    return _TOKEN.fullmatch(char) is not None


def parse(query: str) -> Node:
    """The tree of `query`. Raises BadQuery."""
    if len(query) > LENGTH_LIMIT:
        raise BadQuery(f"a query may have {LENGTH_LIMIT} characters, this one has {len(query)}")
    if not query.strip():
        raise BadQuery("column 1: the query is empty, expected a word")
    query = query.translate(_TYPOGRAPHY)
    _bound_depth(query)
    try:
        tree = _PARSER.parse(query)
    except UnexpectedInput as error:
        raise _explained(query, error) from error
    return _build(tree)


def _bound_depth(query: str) -> None:
    depth = 0
    for column, char in enumerate(query, start=1):
        depth += (char == "(") - (char == ")")
        if depth > DEPTH_LIMIT:
            raise BadQuery(f"column {column}: more than {DEPTH_LIMIT} parentheses are open")


class _Builder(Transformer[Token, Node]):
    """lark's tree to ours; the columns of its tokens name what is wrong."""

    def either(self, parts: list[Node]) -> Node:
        return Or(tuple(parts))

    def every(self, parts: list[Node]) -> Node:
        return And(tuple(parts))

    def negation(self, parts: list[Node]) -> Node:
        return Not(parts[0])

    def field(self, parts: list[Token]) -> Node:
        value = normalise(parts[1].strip('"')).removeprefix("@")
        if not value:
            raise BadQuery(f"column {parts[1].column}: {parts[0]} needs a value")
        return From(value) if parts[0] == "from:" else Lang(value)

    def term(self, parts: list[Token]) -> Node:
        text = normalise(parts[0].strip('"'))
        signs = any(unicodedata.category(char)[0] == "S" for char in text.removeprefix("$"))
        if text and (signs or _WITHOUT_SPACES.search(text)):
            return Piece(text)
        tokens = tuple(tokens_of(text))
        if not tokens:
            raise BadQuery(
                f"column {parts[0].column}: {parts[0]} holds no word to look for, expected one"
            )
        return Words(text, tokens)


_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=False)


def _build(tree: ParseTree) -> Node:
    try:
        return _Builder().transform(tree)
    except VisitError as error:
        if isinstance(error.orig_exc, BadQuery):
            raise error.orig_exc from None
        raise


def _explained(query: str, error: UnexpectedInput) -> BadQuery:
    column = error.column
    expected: Iterable[str] = ()
    found = "this can't stand here"
    if isinstance(error, UnexpectedToken):
        expected = error.accepts or error.expected
        found = f"{str(error.token)!r} can't stand here"
        if error.token.type == "$END":
            column, found = len(query) + 1, "the query ends"
    elif isinstance(error, UnexpectedCharacters):
        expected = error.allowed
        char = error.char
        found = f"{char!r} can't stand here"
        if char == '"':
            return BadQuery(f"column {column}: the quote is not closed")
        if char == ":":
            known = " and ".join(f"{name}:" for name in FIELDS)
            return BadQuery(
                f"column {column}: unknown field; the fields are {known}. To look for a colon, "
                "put the words in quotes"
            )
    names = sorted({_NAMES[name] for name in expected if name in _NAMES})
    return BadQuery(f"column {column}: {found}, expected {', '.join(names)}")
