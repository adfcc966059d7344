"""Conditions plain enough to need no engine: closures over facts, equal to CEL's answer.

Nearly every condition of a policy compares fields with constants. CEL's engine takes longer to
be handed the fields than to compare them, so such conditions are carried out here. The engine
stays the authority: it has compiled and tried each condition before, and it carries out all
that this module gives back as None. What is taken here is so narrow that nothing can go wrong
at run time: a field of a known type, compared with constants of the very same type.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

Facts = Mapping[str, Any]
Condition = Callable[[Facts], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<float>\d+\.\d+)|(?P<int>\d+)|(?P<text>"[^"\\\n]*"|'[^'\\\n]*')"""
    r"""|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign>&&|\|\||[=!<>]=|[!<>()\[\],-]))"""
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _NotPlain(Exception):
    """The text is, or may be, more than this module takes."""


def plain(text: str, root: str, sample: Facts) -> Condition | None:
    """The CEL condition `text` as a closure over the fields of `root`, or None.

    `sample` holds a value of each field, whose type all its values have. `text` must have been
    found good by CEL with these fields.
    """
    try:
        parser = _Parser(_tokens(text), root, sample)
        found = parser.either()
        parser.expect("")
    except _NotPlain:
        return None
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each token, then one with neither."""
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise _NotPlain
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        at = found.end()
    return [*tokens, ("end", "")]


class _Parser:
    """Recursive descent, in CEL's precedence: `||`, `&&`, one comparison, `!`."""

    def __init__(self, tokens: Sequence[tuple[str, str]], root: str, sample: Facts) -> None:
        self._tokens = tokens
        self._at = 0
        self._root = root
        self._sample = sample

    def expect(self, sign: str) -> None:
        if self._next()[1] != sign:
            raise _NotPlain

    def either(self) -> Condition:
        parts = [self._both()]
        while self._took("||"):
            parts.append(self._both())
        return _any_of(parts)

    def _both(self) -> Condition:
        parts = [self._one()]
        while self._took("&&"):
            parts.append(self._one())
        return _all_of(parts)

    def _one(self) -> Condition:
        if self._took("!"):
            inner = self._bracketed() or self._truth()
            self._no_comparison()
            return lambda facts: not inner(facts)
        found = self._bracketed()
        if found is not None:
            self._no_comparison()
            return found
        kind, text = self._peek()
        if (kind, text) == ("name", "true"):
            self._next()
            self._no_comparison()
            return lambda _: True
        if kind == "name" and text not in ("true", "false"):
            return self._about_a_field()
        return self._about_a_constant()

    def _bracketed(self) -> Condition | None:
        if not self._took("("):
            return None
        found = self.either()
        self.expect(")")
        return found

    def _about_a_field(self) -> Condition:
        name = self._field()
        sign = self._peek()[1]
        if sign in _COMPARE:
            self._next()
            return _compared(name, _COMPARE[sign], self._constant(type(self._sample[name])))
        if sign == "in":
            self._next()
            return _among(name, self._constants(type(self._sample[name])))
        if type(self._sample[name]) is not bool:
            raise _NotPlain
        return lambda facts: facts[name] is True

    def _about_a_constant(self) -> Condition:
        value = self._constant(None)
        sign = self._next()[1]
        name = self._field()
        standing = self._sample[name]
        if (
            sign == "in"
            and type(standing) is list
            and all(type(s) is type(value) for s in standing)
        ):
            return lambda facts: value in facts[name]
        if sign in _MIRRORED and type(standing) is type(value):
            return _compared(name, _COMPARE[_MIRRORED[sign]], value)
        raise _NotPlain

    def _truth(self) -> Condition:
        name = self._field()
        if type(self._sample[name]) is not bool:
            raise _NotPlain
        return lambda facts: facts[name] is True

    def _no_comparison(self) -> None:
        """`!a == b` and `(a) == b` compare truth values: leave them to CEL."""
        if self._peek()[1] in {*_COMPARE, "in"}:
            raise _NotPlain

    def _field(self) -> str:
        kind, text = self._next()
        root, _, name = text.partition(".")
        if kind != "name" or root != self._root or name not in self._sample:
            raise _NotPlain
        return name

    def _constant(self, wanted: type | None) -> Any:
        minus = self._took("-")
        kind, text = self._next()
        value: Any
        if kind == "text" and not minus:
            value = text[1:-1]
        elif kind == "int" and len(text) < 16:  # noqa: PLR2004 -- far within CEL's 64 bits
            value = -int(text) if minus else int(text)
        elif kind == "float":
            value = -float(text) if minus else float(text)
        elif kind == "name" and text in ("true", "false") and not minus:
            value = text == "true"
        else:
            raise _NotPlain
        if wanted is not None and type(value) is not wanted:
            raise _NotPlain
        return value

    def _constants(self, wanted: type) -> frozenset[Any]:
        self.expect("[")
        values = [self._constant(wanted)]
        while self._took(","):
            values.append(self._constant(wanted))
        self.expect("]")
        return frozenset(values)

    def _took(self, sign: str) -> bool:
        kind, text = self._peek()
        if kind == "sign" and text == sign:
            self._at += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token


def _compared(name: str, compare: Callable[[Any, Any], bool], value: Any) -> Condition:
    return lambda facts: compare(facts[name], value)


def _among(name: str, values: frozenset[Any]) -> Condition:
    return lambda facts: facts[name] in values


def _any_of(parts: Sequence[Condition]) -> Condition:
    return reduce(lambda first, second: lambda facts: first(facts) or second(facts), parts)


def _all_of(parts: Sequence[Condition]) -> Condition:
    return reduce(lambda first, second: lambda facts: first(facts) and second(facts), parts)
