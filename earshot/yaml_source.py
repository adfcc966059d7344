"""YAML that an operator wrote: plain values, and the line of each.

Both the brand and the routing policy are read through this, so that every complaint names
file, line and the path of what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml
from yaml.reader import ReaderError

T = TypeVar("T")

SIZE_LIMIT = 1_000_000
"""The longest file read, in bytes."""

NODE_LIMIT = 50_000
"""The most values of one file: aliases of aliases can make billions of a few lines."""

Step = str | int


class OperatorError(Exception):
    """Something an operator wrote can't be used; the message names file, line and remedy."""


@dataclass(frozen=True, slots=True)
class YamlSource:
    """A parsed file: `value` is made of dicts, lists and scalars; `lines` maps paths to lines."""

    name: str
    value: Any
    lines: dict[tuple[Step, ...], int] = field(default_factory=dict)

    def line(self, *path: Step) -> int:
        """The line of `path`, or of the nearest part of it that exists (the first is 1)."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 1

    def error(self, message: str, *path: Step) -> OperatorError:
        """An error about what is at `path`."""
        where = ".".join(str(step) for step in path)
        return OperatorError(
            f"{self.name}, line {self.line(*path)}"
            + (f", {where}" if where else "")
            + f": {message}"
        )

    def convert(self, type_: type[T]) -> T:
        """The value as `type_`. Raises OperatorError that names line and path."""
        try:
            return msgspec.convert(self.value, type_, strict=True)
        except msgspec.ValidationError as error:
            message, _, where = str(error).partition(" - at `")
            if where.startswith("key` in `"):
                message, where = f"{message} as a key; put it in quotes", where[len("key` in `") :]
            raise self.error(message, *_path(where)) from error


def read(path: Path) -> YamlSource:
    """The YAML file at `path`. Raises OperatorError for a missing or broken file."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; create it or correct the path") from error
    if len(raw) > SIZE_LIMIT:
        raise OperatorError(f"{path}: {len(raw)} bytes is over the limit of {SIZE_LIMIT}")
    try:
        return parse(raw.decode(), str(path))
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def parse(text: str, name: str) -> YamlSource:
    """`text` as YAML. Raises OperatorError with the line of what can't be read."""
    try:
        loader = _Loader(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise OperatorError(
            f"{name}, line {line}: the character U+{ord(text[error.position]):04X} can't stand "
            "in YAML; delete it"
        ) from error
    try:
        node = loader.get_single_node()
        if node is None:
            raise OperatorError(f"{name}: the file is empty")
        lines: dict[tuple[Step, ...], int] = {}
        _walk(node, (), lines, name, set())
        return YamlSource(name, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise OperatorError(f"{name}{at}: {error.problem or error.context}") from error
    except RecursionError as error:
        raise OperatorError(f"{name}, line {loader.line + 1}: nested too deeply") from error
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """SafeLoader that says where a scalar is that is not what its form or tag promises."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 -- PyYAML's own signature
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError) as error:
            raise yaml.constructor.ConstructorError(
                None, None, f"{str(node.value)[:100]!r} is no {node.tag}", node.start_mark
            ) from error


def _walk(
    node: yaml.Node,
    path: tuple[Step, ...],
    lines: dict[tuple[Step, ...], int],
    name: str,
    above: set[int],
) -> None:
    """Note lines, and refuse what YAML allows and an operator never means."""
    line = node.start_mark.line + 1
    lines[path] = line
    if id(node) in above:
        raise OperatorError(f"{name}, line {line}: an alias that contains itself")
    if len(lines) > NODE_LIMIT:
        raise OperatorError(
            f"{name}, line {line}: more than {NODE_LIMIT} values; are they aliases?"
        )
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            word = str(key.value)
            if word in keys:
                raise OperatorError(
                    f"{name}, line {key.start_mark.line + 1}: {word!r} is given twice"
                )
            keys.add(word)
            _walk(value, (*path, word), lines, name, above | {id(node)})
            lines[(*path, word)] = key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _walk(value, (*path, number), lines, name, above | {id(node)})


def _path(where: str) -> list[Step]:
    """The steps of msgspec's `$.a.b[0]`; map keys it does not name (`[...]`) end the path."""
    steps: list[Step] = []
    for piece in where.removesuffix("`").removeprefix("$").replace("[", ".[").split("."):
        if piece.startswith("["):
            if not piece[1:-1].isdigit():
                break
            steps.append(int(piece[1:-1]))
        elif piece:
            steps.append(piece)
    return steps
