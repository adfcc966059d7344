"""The expressions of a routing policy: CEL, compiled once, and checked against known fields.

A misspelt field would otherwise hide behind `&&` until the one post comes that needs it. So
field names are checked in the text, and every clause is tried alone on sample values.
Macros are refused: nested ones run without bound, and a policy must decide in microseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cel

LENGTH_LIMIT = 2048
"""The longest expression, in characters."""

MACROS = ("map", "filter", "all", "exists", "exists_one")

_STRING = re.compile(r"""[rR]?("([^"\\]|\\.)*"|'([^'\\]|\\.)*')""")
_PATH = re.compile(r"(?<![\w.])([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*)*)\s*(\(?)")
_JUNCTION = re.compile(r"&&|\|\||\?|:")
_CALL = re.compile(r"\.\s*(\w+)\s*\(")
_PLACE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_WORDS = frozenset({"true", "false", "null", "in"})

Sample = Mapping[str, Any]


class ExpressionError(Exception):
    """An expression can't be used; the message says why, and where in it."""


@dataclass(frozen=True, slots=True)
class Fields:
    """What an expression may name: `samples` are values of variables, alike in their fields.

    At least one sample should be full and one empty, so that clauses meet both. Below an
    `open_maps` path (`agent.skills`) any name may be. `words` lists the values of a path that
    has no others.
    """

    samples: tuple[Sample, ...]
    open_maps: frozenset[str] = frozenset()
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """The one variable, such as `item`."""
        (root,) = self.samples[0]
        return root

    @property
    def sample(self) -> Sample:
        """The full sample of that variable."""
        found: Sample = self.samples[0][self.root]
        return found


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled condition: `text`, and the field paths that it reads."""

    text: str
    program: cel.Program
    reads: frozenset[str]
    root: str

    @property
    def always(self) -> bool:
        """Whether it holds for everything."""
        return self.text.strip() == "true"

    def holds_for(self, facts: Mapping[str, Any]) -> bool:
        """Whether the condition is true of `facts`. Raises ExpressionError as `holds` does."""
        return self.holds(cel.Context({self.root: facts}))

    def holds(self, context: cel.Context) -> bool:
        """Whether the condition is true. Raises ExpressionError when it can't be worked out."""
        try:
            return self.program.execute(context) is True
        except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError) as error:
            raise ExpressionError(f"`{self.text}`: {_first_line(error)}") from error


def compile_condition(text: str, fields: Fields) -> Expression:
    """The condition `text`, checked.

    Raises ExpressionError unless it is short, free of macros, reads only known fields and
    gives true or false on every sample.
    """
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError(f"{len(text)} characters are over the limit of {LENGTH_LIMIT}")
    bare = _STRING.sub('""', text)
    for called in _CALL.findall(bare):
        if called in MACROS:
            raise ExpressionError(f"`{called}` is not allowed; use `in`, `size` or comparisons")
    program = _compile(text)
    reads = frozenset(_known(path, fields) for path in _paths(bare))
    for sample in fields.samples:
        prepared = cel.Context(dict(_fill(sample, reads, fields.open_maps)))
        if not isinstance(_try(program, text, prepared), bool):
            raise ExpressionError(f"`{text}` is not a condition: it must give true or false")
        for clause in _clauses(text):
            _try_clause(clause, prepared)
    return Expression(text, program, reads, fields.root)


def first_match(conditions: Sequence[Expression]) -> str:
    """CEL that gives the number of the first condition that holds, or -1.

    One evaluation of one program is several times cheaper than one for each condition.
    """
    chain = "-1"
    for number in range(len(conditions) - 1, -1, -1):
        chain = f"(({conditions[number].text}) ? {number} : {chain})"
    return chain


def flatten(text: str, root: str) -> str:
    """The expression with `root.name` written `root_name`, outside of its strings.

    Handing CEL a map of ten values takes it twice as long as handing it ten variables. Only a
    field can be asked for with `has`, so that `has(root.name)` becomes `true`: every field
    that a condition may name is there.
    """
    parts: list[str] = []
    end = 0
    there = re.compile(rf"(?<![\w.])has\s*\(\s*{root}\s*\.\s*\w+\s*\)")
    path = re.compile(rf"(?<![\w.]){root}\s*\.\s*(?=[A-Za-z_])")

    def flat(bare: str) -> str:
        return path.sub(f"{root}_", there.sub("true", bare))

    for string in _STRING.finditer(text):
        parts += [flat(text[end : string.start()]), string[0]]
        end = string.end()
    return "".join([*parts, flat(text[end:])])


def compile_list(parts: Iterable[str]) -> cel.Program:
    """A program that gives the values of several expressions at once."""
    return _compile("[" + ", ".join(parts) + "]")


def _compile(text: str) -> cel.Program:
    try:
        return cel.compile(text)
    except ValueError as error:
        found = _PLACE.search(str(error))
        if found is None:
            raise ExpressionError(f"`{text}`: {_first_line(error)}") from error
        line, column, what = found.groups()
        place = f"column {column}" if line == "1" else f"line {line}, column {column}"
        raise ExpressionError(f"`{text}`, at {place}: {what[:200]}") from error


def _paths(bare: str) -> Iterable[str]:
    """The dotted names in an expression without its strings; methods are cut off."""
    for root, rest, call in _PATH.findall(bare):
        steps = [root, *(step.strip() for step in rest.split(".")[1:])]
        if call:
            steps.pop()  # the last name is that of a function or method
        if steps and steps[0] not in _WORDS:
            yield ".".join(steps)


def _known(path: str, fields: Fields) -> str:
    """`path` when every sample has it. Raises ExpressionError that says what there is."""
    root, *steps = path.split(".")
    sample = fields.samples[0]
    if root not in sample:
        raise ExpressionError(f"`{root}` is not known here; there is {_names(sample)}")
    value, walked = sample[root], root
    if not steps:
        raise ExpressionError(f"`{root}` by itself is not a value; name a field: {_names(value)}")
    for step in steps:
        if walked in fields.open_maps:
            return path
        if not isinstance(value, Mapping) or step not in value:
            raise ExpressionError(
                f"`{walked}.{step}` is not known; `{walked}` has "
                + (_names(value) if isinstance(value, Mapping) else "no fields")
            )
        value, walked = value[step], f"{walked}.{step}"
    return path


def _fill(sample: Sample, reads: frozenset[str], open_maps: frozenset[str]) -> Sample:
    """`sample` with a zero for each name below an open map that is read and not there."""
    filled = {root: dict(value) for root, value in sample.items()}
    for path in reads:
        above, _, name = path.rpartition(".")
        if above in open_maps:
            root, _, field = above.partition(".")
            filled[root][field] = {name: 0} | dict(filled[root][field])
    return filled


def _clauses(text: str) -> Iterable[str]:
    """The parts between `&&`, `||`, `?` and `:`, without the brackets that reach beyond them."""
    strings: list[str] = []

    def hide(found: re.Match[str]) -> str:
        strings.append(found[0])
        return f"\0{len(strings) - 1}\0"

    hidden = _STRING.sub(hide, text)
    for part in _JUNCTION.split(hidden):
        clause = part.strip()
        while clause.count("(") > clause.count(")") and clause.lstrip("!( ") != clause:
            clause = clause[1:].strip()
        while clause.count(")") > clause.count("(") and clause.endswith(")"):
            clause = clause[:-1].strip()
        yield re.sub("\0(\\d+)\0", lambda found: strings[int(found[1])], clause)


def _try_clause(clause: str, context: cel.Context) -> None:
    try:
        program = cel.compile(clause)
    except ValueError:
        return  # not an expression by itself, such as the middle of a function's arguments
    _try(program, clause, context)


def _try(program: cel.Program, text: str, context: cel.Context) -> Any:
    try:
        return program.execute(context)
    except (ValueError, TypeError, RuntimeError, LookupError, ArithmeticError) as error:
        raise ExpressionError(f"`{text}`: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0].split(", so common causes", 1)[0][:200]


def _names(values: Mapping[str, Any]) -> str:
    return ", ".join(sorted(values))
