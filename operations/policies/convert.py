"""CEL conditions written as structured ones, where structure can say the same. Pure.

For `earshot policy convert` only: no role reads this. What is converted is so narrow that both
forms give one answer for all facts: fields of a known type, compared with constants of the very
same type, joined by `&&`, `||` and `!`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from router.policy.expression import Fields
from router.policy.fact_tests import OPERATORS
from router.policy.structure import StructureError, compile_structure, fact_types

Written = dict[str, Any]
"""A structured condition as plain values."""

_TOKEN = re.compile(
    r"""\s*(?:(?P<float>\d+\.\d+)|(?P<int>\d+)|(?P<text>"[^"\\\n]*"|'[^'\\\n]*')"""
    r"""|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)|(?P<sign>&&|\|\||[=!<>]=|[!<>()\[\],-]))"""
)
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_NAMES = {sign: name for name, (sign, _) in OPERATORS.items()}
_JOINS = frozenset({"any", "all", "not"})
_DIGITS = 15
"""The longest whole number taken, far within CEL's 64 bits."""


class NotConvertible(Exception):
    """The condition stays as it is; the message says why."""


def convert(text: str, fields: Fields) -> Written | bool:
    """The CEL condition `text`, good for `fields`, as a structured one; `True` for `true`.

    Raises NotConvertible.
    """
    if text.strip() == "true":
        return True
    parser = _Parser(_tokens(text), fields)
    found = parser.either()
    parser.expect("")
    try:
        compile_structure(found, fields)
    except StructureError as error:
        raise NotConvertible(str(error)) from error
    return found


def _tokens(text: str) -> list[tuple[str, str]]:
    """Kind and text of each token, then one with neither. Raises NotConvertible."""
    tokens, at, end = [], 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise NotConvertible(f"structure has nothing for `{text[at:].strip()[:20]}`")
        kind = str(found.lastgroup)
        tokens.append((kind, found[kind]))
        at = found.end()
    return [*tokens, ("end", "")]


class _Parser:
    """Recursive descent, in CEL's precedence: `||`, `&&`, one comparison, `!`."""

    def __init__(self, tokens: Sequence[tuple[str, str]], fields: Fields) -> None:
        self._tokens = tokens
        self._at = 0
        self._fields = fields
        self._types = fact_types(fields)

    def expect(self, sign: str) -> None:
        """Go over `sign` (nothing: the end). Raises NotConvertible."""
        if self._peek()[1] != sign:
            self._refuse()
        self._next()

    def either(self) -> Written:
        """What is up to the end or a closing bracket. Raises NotConvertible."""
        parts = [self._both()]
        while self._took("||"):
            parts.append(self._both())
        return _any_of(parts)

    def _both(self) -> Written:
        parts = [self._one()]
        while self._took("&&"):
            parts.append(self._one())
        return _all_of(parts)

    def _one(self) -> Written:
        if self._took("!"):
            return self._negated()
        if self._took("("):
            return self._bracketed()
        kind, text = self._peek()
        if kind == "name" and text not in ("true", "false"):
            return self._about_a_field()
        return self._about_a_constant()

    def _negated(self) -> Written:
        if self._took("("):
            return {"not": self._bracketed()}
        name = self._field()
        if self._type(name) is not bool:
            self._refuse()
        self._no_comparison()
        return {name: False}

    def _bracketed(self) -> Written:
        found = self.either()
        self.expect(")")
        self._no_comparison()
        return found

    def _about_a_field(self) -> Written:
        name = self._field()
        type_ = self._type(name)
        sign = self._peek()[1]
        if sign in _MIRRORED:
            self._next()
            return self._compared(name, sign, self._constant(type_))
        if sign == "in":
            self._next()
            return {name: self._constants(name, type_)}
        if type_ is not bool:
            self._refuse()
        return {name: True}

    def _about_a_constant(self) -> Written:
        value = self._constant(None)
        sign = self._next()[1]
        name = self._field()
        type_ = self._type(name)
        if sign == "in" and type_ is list and isinstance(value, str):
            return {name: value}
        if sign not in _MIRRORED or type(value) is not type_:
            raise NotConvertible(f"it compares `{name}` with a value of another type")
        return self._compared(name, _MIRRORED[sign], value)

    def _compared(self, name: str, sign: str, value: Any) -> Written:
        if sign in ("==", "!="):
            if isinstance(value, float):
                raise NotConvertible(f"it asks whether `{name}` equals a fraction")
            if isinstance(value, bool):
                return {name: value is (sign == "==")}
            return {name: value} if sign == "==" else {"not": {name: value}}
        if isinstance(value, str | bool):
            raise NotConvertible(f"it asks which of `{name}` and a text comes first")
        return {name: {_NAMES[sign]: value}}

    def _no_comparison(self) -> None:
        """`!a == b` and `(a) == b` compare truth values: they stay."""
        if self._peek()[1] in {*_MIRRORED, "in"}:
            self._refuse()

    def _field(self) -> str:
        kind, text = self._next()
        root, _, name = text.partition(".")
        if kind != "name" or root != self._fields.root or not name:
            self._at -= 1
            self._refuse()
        if self._peek()[1] in ("(", "["):
            raise NotConvertible(f"structure has nothing for `{text}{self._peek()[1]}`")
        return name

    def _type(self, name: str) -> type:
        above, _, _ = name.rpartition(".")
        if above and f"{self._fields.root}.{above}" in self._fields.open_maps:
            return int
        return self._types[name]

    def _constant(self, wanted: type | None) -> Any:
        minus = self._took("-")
        kind, text = self._peek()
        value: Any
        if kind == "text" and not minus:
            value = text[1:-1]
        elif kind == "int" and len(text) <= _DIGITS:
            value = -int(text) if minus else int(text)
        elif kind == "float":
            value = -float(text) if minus else float(text)
        elif kind == "name" and text in ("true", "false") and not minus:
            value = text == "true"
        else:
            self._refuse()
        self._next()
        if wanted is not None and type(value) is not wanted:
            raise NotConvertible(f"it compares `{text}` with a field of another type")
        return value

    def _constants(self, name: str, wanted: type) -> list[Any]:
        if wanted not in (str, int):
            raise NotConvertible(f"it asks whether `{name}` is in a list")
        self.expect("[")
        values = [self._constant(wanted)]
        while self._took(","):
            values.append(self._constant(wanted))
        self.expect("]")
        return values

    def _refuse(self) -> NoReturn:
        text = self._peek()[1]
        raise NotConvertible(
            f"structure has nothing for `{text}` here" if text else "it is cut off"
        )

    def _took(self, sign: str) -> bool:
        if self._peek() == ("sign", sign):
            self._at += 1
            return True
        return False

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token


def _all_of(parts: Sequence[Written]) -> Written:
    """One mapping where its keys can tell the parts apart, else a list under `all`."""
    found: Written = {}
    for part in parts:
        for key, said in part.items():
            if key not in found:
                found[key] = said
            elif _are_bounds(key, found[key], said):
                found[key] = found[key] | said
            else:
                return {"all": list(parts)} if len(parts) > 1 else dict(parts[0])
    return found


def _are_bounds(key: str, first: Any, second: Any) -> bool:
    """Whether both compare the number `key`, each in another way."""
    if key in _JOINS or not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return False
    return not set(first) & set(second)


def _any_of(parts: Sequence[Written]) -> Written:
    """Values of one field as its list, else a list under `any`."""
    if len(parts) == 1:
        return parts[0]
    (key, *others) = parts[0]
    alike = not others and key not in _JOINS and all(list(part) == [key] for part in parts)
    values = [value for part in parts for value in _listed(part[key])] if alike else []
    if alike and all(type(value) in (str, int) for value in values):
        return {key: list(dict.fromkeys(values))}
    return {"any": list(parts)}


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]
