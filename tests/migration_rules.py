"""What a revision that only expands may do, read from its source. What is not known is unsafe.

The version before it goes on reading and writing all the while: it names the columns it knows,
and gives no value to one that it doesn't.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator


def unsafe(source: str) -> list[str]:
    """The operations of `upgrade()` that the version before may not survive, in words."""
    (body,) = [
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    calls = [node for node in ast.walk(body) if isinstance(node, ast.Call)]
    operations = [call for call in calls if isinstance(call.func, ast.Attribute)]
    new = {
        str(call.args[0].value)
        for call in operations
        if _name(call) == "create_table" and isinstance(call.args[0], ast.Constant)
    }
    widened = _widened(operations)
    return [said for call in operations if call not in widened for said in _judge(call, new)]


def _widened(operations: list[ast.Call]) -> list[ast.Call]:
    """The calls that replace a unique constraint by the same with a new column at its end.

    The version before gives that column no value, so its rows are held to what they were. It
    must not name the old columns as what an insert conflicts on: a test of that revision's own.
    """
    new = {
        _text(_column_of(call).args[0])
        for call in operations
        if _name(call) == "add_column" and not list(_column(call))
    }
    dropped = {_text(call.args[0]): call for call in operations if _drops_unique(call)}
    found: list[ast.Call] = []
    for call in operations:
        if _name(call) == "create_unique_constraint":
            columns = [_text(name) for name in getattr(call.args[-1], "elts", ())]
            old = [name for name in columns if name not in new]
            stem = _text(call.args[0]).removesuffix("_".join(columns))
            before = dropped.get(stem + "_".join(old))
            if before is not None and old == columns[: len(old)] != columns:
                found += [before, call]
    return found


def _judge(call: ast.Call, new: set[str]) -> Iterator[str]:
    """What is wrong with one call; `new` are tables that nobody knows yet."""
    name = _name(call)
    owner = call.func.value.id if isinstance(call.func.value, ast.Name) else ""  # type: ignore[attr-defined]  # an attribute, see `unsafe`
    if owner not in ("op", "batch_op") or name in ("f", "create_table", "batch_alter_table"):
        return
    if name == "add_column":
        yield from _column(call)
    elif name == "create_index":
        unique = any(word.arg == "unique" and _is_true(word.value) for word in call.keywords)
        if unique and _table(call) not in new:
            yield "a unique index on a table that is written to"
    else:
        yield f"{name} is not known to be harmless"


def _column(call: ast.Call) -> Iterator[str]:
    words = {word.arg: word.value for word in _column_of(call).keywords}
    if "server_default" not in words and not _is_true(words.get("nullable", ast.Constant(True))):  # noqa: FBT003 -- a column may be null unless it says otherwise
        yield "a column that must have a value and has no server_default"


def _column_of(call: ast.Call) -> ast.Call:
    """The sa.Column(…) of an add_column."""
    (column,) = [arg for arg in call.args if isinstance(arg, ast.Call)]
    return column


def _drops_unique(call: ast.Call) -> bool:
    if _name(call) != "drop_constraint":
        return False
    return [_text(word.value) for word in call.keywords if word.arg == "type_"] == ["unique"]


def _text(node: ast.expr) -> str:
    """A name as it is written, or within the f(…) that keeps a name as it is."""
    if isinstance(node, ast.Call):
        node = node.args[0]
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _table(call: ast.Call) -> str:
    """The table of op.create_index(name, table, …); unknown for a batch's, whose table stands."""
    second = call.args[1] if len(call.args) > 1 else None
    return str(second.value) if isinstance(second, ast.Constant) else ""


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
