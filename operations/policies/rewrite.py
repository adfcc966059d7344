"""A policy file with its CEL conditions rewritten, and all else as it was: a text edit. Pure.

Only the key and value of a condition are replaced, so that order, comments and layout stay. What
comes out is read again and compared with what was meant before it is given back.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from earshot import yaml_source
from earshot.yaml_source import OperatorError, Step, YamlSource
from operations.policies.convert import NotConvertible, convert
from router.policy import policy_file
from router.policy.expression import Fields
from router.policy.facts import AGENT, ITEM

WIDTH = 100
"""A condition that would end beyond this column is written on several lines, where it can be."""

_BARE = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})

Path = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """A condition in CEL that stays: its line, its path (`intake.3.when`) and why."""

    line: int
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The file's new text, how many conditions changed, and those that stay."""

    text: str
    changed: int
    left: tuple[Left, ...]


@dataclass(frozen=True, slots=True)
class _Edit:
    """`value` takes the place of the text from `start` to `end`, under `key`."""

    path: Path
    key: str
    value: Any
    start: int
    end: int
    column: int | None
    """Where the key begins, in a block; None between braces, where all is on one line."""


def rewrite(text: str, name: str) -> Rewritten:
    """The policy `text` of the file `name` with `if:` for each `when:` that can be one.

    Raises OperatorError for a policy that is not good, and where the edit would change more
    than conditions.
    """
    source = yaml_source.parse(text, name)
    policy_file.build(source, name)
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: dict[int, _Edit] = {}
    meant = copy.deepcopy(source.value)
    left = []
    changed = 0
    for path, said, fields in _conditions(source.value):
        try:
            edit = _edit(root, text, path, convert(said, fields))
        except NotConvertible as error:
            left.append(Left(source.line(*path), ".".join(map(str, path)), str(error)))
            continue
        edits[edit.start] = edit
        changed += 1
        _replace(meant, edit)
    done = _applied(text, edits)
    _check(done, meant, source)
    return Rewritten(done, changed, tuple(left))


def _conditions(value: Any) -> Iterator[tuple[Path, str, Fields]]:
    """Path, text and fields of each condition in CEL."""
    for section in ("intake", "priorities", "boost"):
        for number, rule in enumerate(value.get(section, ())):
            if rule.get("when"):
                yield (section, number, "when"), rule["when"], ITEM
    for name, team in value["teams"].items():
        for key, fields in (("match", ITEM), ("members", AGENT)):
            if isinstance(team[key], str):
                yield ("teams", name, key), team[key], fields


def _edit(root: yaml.Node | None, text: str, path: Path, value: Any) -> _Edit:
    """The edit that puts `value` at `path`. Raises NotConvertible where it can't be made."""
    holder = _node(root, path[:-1])
    pairs = holder.value if isinstance(holder, yaml.MappingNode) else ()
    found = [pair for pair in pairs if pair[0].value == path[-1]]
    if holder is None or not found:
        raise NotConvertible("it is merged in from another place (`<<`)")
    ((key, node),) = found
    begin, end = node.start_mark.index, node.end_mark.index
    written = text[begin:end].rstrip()
    header = written.split("\n", 1)[0]
    if begin < key.end_mark.index or written[0] in "&*!":
        raise NotConvertible("it has an anchor, an alias or a tag")
    if written[0] in "|>" and "#" in header:
        raise NotConvertible("a comment is in its first line, and would be lost")
    return _Edit(
        path=path,
        key="if" if path[-1] == "when" else str(path[-1]),
        value=value,
        start=key.start_mark.index,
        end=begin + len(written),
        column=None if holder.flow_style else key.start_mark.column,
    )


def _node(node: yaml.Node | None, path: Path) -> yaml.CollectionNode | None:
    """The list or mapping at `path`, or None where a merge brings it."""
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step]
        elif isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
    return node if isinstance(node, yaml.CollectionNode) else None


def _replace(value: Any, edit: _Edit) -> None:
    """Do to the plain `value` what the edit does to its text; the order of keys is kept."""
    *above, last = edit.path
    for step in above:
        value = value[step]
    renamed = [
        (edit.key, edit.value) if key == last else (key, said) for key, said in value.items()
    ]
    value.clear()
    value.update(renamed)


def _applied(text: str, edits: dict[int, _Edit]) -> str:
    parts, end = [], 0
    for start in sorted(edits):
        edit = edits[start]
        parts += [text[end:start], _written(edit, text)]
        end = edit.end
    return "".join([*parts, text[end:]])


def _check(done: str, meant: Any, source: YamlSource) -> None:
    """Raise OperatorError unless `done` reads as `meant`, and is a good policy."""
    try:
        found = yaml_source.parse(done, source.name)
        policy_file.build(found, source.name)
    except OperatorError as error:
        raise OperatorError(
            f"{source.name}: its layout can't be rewritten ({error}); write the conditions as "
            '`when: "…"` on one line, or change them by hand'
        ) from error
    if found.value != meant:
        raise OperatorError(
            f"{source.name}: its layout can't be rewritten without changing more than conditions; "
            'write the conditions as `when: "…"` on one line, or change them by hand'
        )


def _written(edit: _Edit, text: str) -> str:
    flow = f"{edit.key}: {_flow(edit.value)}"
    if edit.column is None or edit.column + len(flow) <= WIDTH:
        return flow
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = _block(edit.key, edit.value, edit.column)
    return newline.join(lines).lstrip()


def _block(key: str, value: Any, column: int) -> list[str]:
    """The lines of `key: value` in a block that begins at `column`."""
    indent = " " * column
    flow = f"{indent}{key}: {_flow(value)}"
    if len(flow) <= WIDTH or not value or not isinstance(value, dict | list):
        return [flow]
    lines = [f"{indent}{key}:"]
    if isinstance(value, dict):
        for name, said in value.items():
            lines += _block(name, said, column + 2)
        return lines
    if not all(isinstance(one, dict) for one in value):
        return [flow]
    for one in value:
        (first, said), *others = one.items()
        head, *rest = _block(first, said, column + 4)
        lines += [f"{indent}  - {head.lstrip()}", *rest]
        for name, further in others:
            lines += _block(name, further, column + 4)
    return lines


def _flow(value: Any) -> str:
    """`value` as YAML on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {_flow(said)}" for name, said in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case bool():
            return str(value).lower()
        case float():
            return format(Decimal(repr(value)), "f")  # YAML takes 1e-07 for a text
        case str() if _BARE.fullmatch(value) and value.lower() not in _YAML_WORDS:
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def summary(done: Rewritten, name: str) -> Sequence[str]:
    """What a person reads about `done`, line by line."""
    total = done.changed + len(done.left)
    return [
        f"{name}: {done.changed} of {total} conditions in CEL become structured",
        *(f"  line {one.line}, {one.path} stays: {one.why}" for one in done.left),
    ]
