"""What a request gives to an act, as one frozen value: checked field by field, refused by name.

Each act has its input, a subclass of `Input`, and is a function that knows no request. Whoever
offers it (a page's form today) reads the input and turns the outcome into an answer.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from flask import request
from msgspec import Meta
from werkzeug.datastructures import MultiDict
from werkzeug.routing import IntegerConverter, Map

LARGEST = 2**63 - 1
"""The largest whole number that a column of the database holds."""

SHOWN = 60
"""How many characters of a value that is refused are shown."""

Number = Annotated[int, Meta(ge=0, le=LARGEST)]
"""A whole number that fits a column: an id, a version, a revision."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What one act needs to be told. A field without a default must be given."""


class ItemVersion:
    """An item and the version of it that a person saw, written `ID:VERSION`."""

    __slots__ = ("item_id", "version")

    def __init__(self, item_id: int, version: int) -> None:
        self.item_id = item_id
        self.version = version

    @classmethod
    def parse(cls, text: str) -> ItemVersion:
        """Raises ValueError for anything else."""
        number, _sep, version = text.partition(":")
        return cls(column_number(number), column_number(version))


class BadInput(Exception):
    """A field can't be used. `why` says what it should be."""

    def __init__(self, field: str, value: str, why: str) -> None:
        super().__init__(f"{field} is {value[:SHOWN]!r}: {why}")
        self.field = field
        self.value = value[:SHOWN]
        self.why = why


Given = TypeVar("Given", bound=Input)


def form_input(kind: type[Given]) -> Given:
    """The form of this request as a `kind`. Raises BadInput, which is answered with a 400."""
    return read_form(kind, request.form)


def read_form(kind: type[Given], form: MultiDict[str, str]) -> Given:
    """The fields of `form` that `kind` has; others are ignored. Raises BadInput.

    A browser ends lines with CR LF, which becomes LF. Yes and no are `on`, as a box that is ticked
    says it, and `off`. A field that is given several times is a list where `kind` has one, else
    its first value counts.
    """
    hints = get_type_hints(kind, include_extras=True)
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        said = form.getlist(field.name)
        if said:
            values[field.name] = _value(field.name, hints[field.name], said)
        elif field.required:
            raise BadInput(field.name, "", "it is missing")
    return kind(**values)


def _value(name: str, type_: Any, said: list[str]) -> object:
    plain = [text.replace("\r\n", "\n") for text in said]
    given: object = plain if _is_list(type_) else plain[0]
    if type_ is bool and given in ("on", "off"):
        return given == "on"
    try:
        return msgspec.convert(given, type_, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        why = str(error)
        raise BadInput(name, ", ".join(plain), f"{why[:1].lower()}{why[1:200]}") from error


def _decode(type_: type, given: object) -> object:
    if type_ is ItemVersion and isinstance(given, str):
        return ItemVersion.parse(given)
    # msgspec's own word for a type it can't make (its docs on extending): a fault in an `Input`
    raise NotImplementedError(f"an input has a field of {type_}")


def _is_list(type_: Any) -> bool:
    if get_origin(type_) is Annotated:
        return _is_list(get_args(type_)[0])
    return get_origin(type_) is tuple


def wants_fragment() -> bool:
    """Whether a script asked for a part of a page, so that a redirect would be lost on it."""
    return "HX-Request" in request.headers or "X-Fragment" in request.headers


class ColumnNumber(IntegerConverter):
    """A number in an address; a larger one is an address that does not exist."""

    def __init__(self, map: Map, **options: Any) -> None:
        super().__init__(map, **{"max": LARGEST, **options})


def column_number(text: str) -> int:
    """The number that `text` writes in digits. Raises ValueError for anything else."""
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > LARGEST:
        raise ValueError(f"{text[:40]!r} is no number of the database")
    return int(text[:20])
