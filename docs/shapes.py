"""Types in words: what an operator may write for a key, read off the type that checks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec import inspect

_SIMPLE: Mapping[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.IntType: "whole number",
    inspect.FloatType: "number",
    inspect.StrType: "text",
    inspect.DateType: "day",
    inspect.DateTimeType: "time with zone",
    inspect.StructType: "section",
    inspect.UnionType: "section",
    inspect.AnyType: "condition",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a file: its path (`teams.*.match`, `intake[].id`), type and default in words."""

    path: str
    shape: str
    default: str


def keys_of(type_: type, above: str = "") -> Iterator[Key]:
    """Every key of a struct, those of the parts below it included."""
    described = inspect.type_info(type_)
    if not isinstance(described, inspect.StructType):
        raise TypeError(f"{type_} is no struct, so it has no keys")
    for field in described.fields:
        path = f"{above}{field.encode_name}"
        yield Key(path, shape(field.type), _default(field))
        yield from _below(field.type, path)


def _below(type_: inspect.Type, path: str) -> Iterator[Key]:
    """The keys of the struct that is at `path`, or in a list or mapping there."""
    match type_:
        case inspect.StructType():
            yield from keys_of(type_.cls, f"{path}.")
        case inspect.DictType(value_type=inspect.StructType() as inner):
            yield from keys_of(inner.cls, f"{path}.*.")
        case inspect.VarTupleType(item_type=inspect.StructType() as inner):
            yield from keys_of(inner.cls, f"{path}[].")
        case inspect.UnionType():
            tagged = [t for t in type_.types if isinstance(t, inspect.StructType) and t.tag_field]
            if tagged:
                tags = ", ".join(f"`{t.tag}`" for t in tagged)
                yield Key(f"{path}.{tagged[0].tag_field}", f"one of {tags}", "required")
            for choice in tagged:
                yield from keys_of(choice.cls, f"{path}.")
        case _:
            return  # a single value has no keys


def shape(type_: inspect.Type) -> str:
    """A type in words, with its bounds."""
    match type_:
        case inspect.IntType() | inspect.FloatType():
            return f"{_SIMPLE[type(type_)]} {bounds(type_)}".rstrip()
        case inspect.LiteralType(values=values):
            return _choice(values)
        case inspect.EnumType(cls=cls):
            return _choice(tuple(member.value for member in cls))
        case inspect.VarTupleType(item_type=item) | inspect.FrozenSetType(item_type=item):
            return f"list of {shape(item)}"
        case inspect.DictType(value_type=value):
            return f"mapping of name to {shape(value)}"
        case _:
            return _SIMPLE.get(type(type_), "any value")


def bounds(type_: inspect.IntType | inspect.FloatType) -> str:
    """The bounds of a number in words, or nothing."""
    words = (("from", type_.ge), ("above", type_.gt), ("to", type_.le), ("below", type_.lt))
    return " ".join(f"{word} {number:.10g}" for word, number in words if number is not None)


def _choice(values: tuple[Any, ...]) -> str:
    shown = [f"`{value}`" if value != "" else "empty" for value in values]
    return shown[0] if len(shown) == 1 else f"one of {', '.join(shown)}"


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    if field.default_factory is not msgspec.NODEFAULT:
        return in_toml(field.default_factory())
    return in_toml(field.default)


def in_toml(value: Any) -> str:
    """A default as an operator would write it; nothing for what is empty or a section."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"`{value}`"
        case datetime():
            return f"`{value.isoformat()}`"
        case str() if value:
            return f"`{value}`"
        case dict() if value:
            pairs = ", ".join(f"{name} = {in_toml(v).strip('`')}" for name, v in value.items())
            return f"`{{{pairs}}}`"
        case _:
            return "" if isinstance(value, msgspec.Struct) else "empty"
