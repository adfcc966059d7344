"""What is parsed has bounds: no pattern without end, no depth, no bomb, no code in a file."""

from __future__ import annotations

import csv
import io
import pickle
import random
import struct
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.model.bundle import DEFAULT_MODEL, BadBundle, load
from classifier.text.normalization import normalise
from collectors.delivery.send_rules import same_text
from collectors.matching.query import BadQuery, parse
from dashboard.lists.filters import parse as parse_filter
from dashboard.lists.spreadsheet import ACTIVE, harmless, lines
from earshot import yaml_source
from earshot.domain import TEXT_LIMIT
from earshot.yaml_source import OperatorError
from router.policy.expression import compile_condition
from router.policy.facts import ITEM

ROOT = Path(__file__).resolve().parents[2]

# ---------------------------------------------------------------- operators' files

YAML = {
    "aliases of aliases": "a0: &a0 [x]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)),
    "an alias of itself": "a: &a [*a]",
    "deep lists": "[" * 100_000,
    "deep mappings": "{a: " * 100_000,
    "deep indents": "\n".join(" " * n + "a:" for n in range(5_000)),
    "python": "a: !!python/object/apply:os.system ['true']",
    "python name": "a: !!python/name:os.system",
    "a merge bomb": "a: &a {x: 1}\nb:\n" + "".join("  <<: *a\n" for _ in range(3)),
    "huge number": "a: " + "9" * 10_000,
    "huge binary": "a: !!binary " + "?" * 1_000,
}


@pytest.mark.parametrize("name", YAML)
def test_an_operator_s_file_is_read_within_bounds_or_refused_in_words(name: str) -> None:
    try:
        yaml_source.parse(YAML[name], "brand.yaml")
    except OperatorError as error:
        assert "brand.yaml" in str(error)  # noqa: PT017 -- either outcome is good, but in words
    else:
        assert name in {"huge number", "huge binary", "a merge bomb"}


def test_a_file_of_many_megabytes_is_not_even_parsed(tmp_path: Path) -> None:
    big = tmp_path / "brand.yaml"
    big.write_text("a: " + "x" * (yaml_source.SIZE_LIMIT + 1))
    with pytest.raises(OperatorError, match="over the limit"):
        yaml_source.read(big)


QUERIES = (
    "(" * 5_000,
    "a " * 5_000,
    "-" * 3_999 + "a",
    "NOT " * 900 + "a",
    "(a OR " * 39 + "b" + ")" * 39,
    "(a OR " * 500 + "b" + ")" * 500,
    "(a OR (NOT " * 280 + "b" + "))" * 280,
    '"' * 3_999,
    "((a*)*)*b",
    "(a+)+$",
    "\x00",
    "\ud800",
    "from:" * 700,
)


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_query_is_parsed_or_refused(query: str) -> None:
    try:
        parse(query)
    except BadQuery as error:
        assert len(str(error)) < 1_000  # noqa: PT017 -- either outcome is good


CONDITIONS = (
    "(" * 1_000 + "true" + ")" * 1_000,
    "!" * 2_000 + "true",
    "-" * 2_000 + "1 == 1",
    "[" * 1_000 + "]" * 1_000 + " == []",
    "true ? " * 280 + "true" + " : false" * 10,
    "item.text.matches('(a+)+$')",
    "item.text.matches('(a{1000}){1000}')",
    "'a'.matches('(?:a|aa)+$')",
    "[1].map(x, [1].map(y, x)) == []",
    "item.__class__ == 1",
    "'%s'.format([item]) == ''",
    "1" * 2_000 + " > 1",
    "\x00 == 1",
)


@pytest.mark.parametrize("text", CONDITIONS, ids=range(len(CONDITIONS)))
def test_a_condition_of_a_policy_never_ends_the_process(text: str) -> None:
    """In a process of its own: too deep a nesting would end the one that parses it."""
    code = (
        "import sys\nfrom router.policy.expression import ExpressionError, compile_condition\n"
        "from router.policy.facts import ITEM\n"
        "try: compile_condition(sys.stdin.read(), ITEM)\n"
        "except ExpressionError as error: assert len(str(error)) < 5_000\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        input=text,
        text=True,
        capture_output=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-500:]


def test_a_pattern_of_a_policy_is_matched_in_linear_time() -> None:
    """On a backtracking engine this would take longer than the universe has existed."""
    for pattern in ("(a+)+$", "(a|aa)+$", "(.*)*x"):
        text = f"'{'a' * 200}!'.matches('{pattern}') || item.can_reply"
        assert compile_condition(text, ITEM).text == text


# ---------------------------------------------------------------- people's words

WORDS = (
    "a" * TEXT_LIMIT,
    "a-" * (TEXT_LIMIT // 2),
    "a." * (TEXT_LIMIT // 2),
    "@" * TEXT_LIMIT,
    "http://" * (TEXT_LIMIT // 7),
    "www." * (TEXT_LIMIT // 4),
    " " * TEXT_LIMIT,
    "\u0301" * TEXT_LIMIT,
    "(" * TEXT_LIMIT,
    '"' * 4_000,
    "'" * 4_000,
    "-" * 4_000,
    ":" * 4_000,
)


@pytest.mark.parametrize("text", WORDS, ids=range(len(WORDS)))
def test_the_longest_text_of_any_shape_is_worked_through(text: str) -> None:
    """A pattern of ours that explodes on it would not come to an end."""
    normalise(text)
    same_text(text, text[:-1])
    parse_filter(text[:4_000])


# ---------------------------------------------------------------- spreadsheets

STARTS = st.sampled_from([*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", " =", "'=", '"=', "\u200b=", "x"])


@given(st.builds(str.__add__, STARTS, st.text(max_size=30)))
def test_no_text_begins_as_a_formula_whoever_opens_the_export(text: str) -> None:
    """Read back as a spreadsheet does: past quotes, and past spaces before the sign."""
    _, line = lines(["text"], [[text]])
    ((said,),) = csv.reader(io.StringIO(line, newline=""))
    assert not said.lstrip(" ").startswith(ACTIVE)
    assert said.removeprefix("'") == text or said == text


@given(st.lists(st.lists(st.text(max_size=20), min_size=3, max_size=3), max_size=5))
def test_no_cell_breaks_out_into_another(rows: list[list[str]]) -> None:
    text = "".join(lines(["a", "b", "c"], rows)).removeprefix("\ufeff")
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [len(row) for row in read] == [3] * (len(rows) + 1)


def test_numbers_and_times_stay_what_they_are() -> None:
    assert harmless(-5) == "-5"
    assert harmless(datetime(2026, 3, 2)) == "2026-03-02T00:00:00"  # noqa: DTZ001 -- as it is
    assert list(lines(["a"], [[None]])) == ['\ufeff"a"\r\n', '""\r\n']


# ---------------------------------------------------------------- models


class Trigger:
    """Unpickling this would make a file."""

    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (str(self.at),)


def test_a_model_that_holds_a_pickle_runs_nothing(tmp_path: Path) -> None:
    made, forged = tmp_path / "pwned", tmp_path / "model.npz"
    with zipfile.ZipFile(DEFAULT_MODEL) as good, zipfile.ZipFile(forged, "w") as bad:
        for name in good.namelist():
            array = io.BytesIO()
            np.save(array, np.array([Trigger(made)], dtype=object), allow_pickle=True)
            bad.writestr(name, array.getvalue())
    with pytest.raises(BadBundle):
        load(forged)
    plain = tmp_path / "plain.npz"
    plain.write_bytes(pickle.dumps(Trigger(made)))
    with pytest.raises(BadBundle):
        load(plain)
    assert not made.exists()


def test_a_model_that_claims_or_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(DEFAULT_MODEL) as good,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for name in good.namelist():
            bad.writestr(name, b"\0" * (200 << 20))
    assert bomb.stat().st_size < 2 << 20
    with pytest.raises(BadBundle, match="it unpacks to"):
        load(bomb)


def test_a_model_with_changed_bytes_is_refused_or_the_same(tmp_path: Path) -> None:
    raw, path = DEFAULT_MODEL.read_bytes(), tmp_path / "model.npz"
    version, dice = load(DEFAULT_MODEL).version, random.Random(7)
    for _ in range(4):
        changed = bytearray(raw)
        for at in dice.sample(range(len(raw)), 3):
            changed[at] ^= 1 << dice.randrange(8)
        path.write_bytes(changed)
        try:
            assert load(path).version == version  # only bytes that mean nothing were changed
        except BadBundle:
            continue
    path.write_bytes(raw[:-22] + struct.pack("<I4H2IH", 0x06054B50, 0, 0, 9, 9, 9, 9, 0))
    with pytest.raises(BadBundle):
        load(path)


def test_a_model_with_other_numbers_under_the_same_name_is_refused(tmp_path: Path) -> None:
    """As whoever may write the file would make it: a sound archive, sound arrays."""
    forged = tmp_path / "model.npz"
    with zipfile.ZipFile(DEFAULT_MODEL) as good, zipfile.ZipFile(forged, "w") as bad:
        for name in good.namelist():
            array = np.load(io.BytesIO(good.read(name)))
            if name == "idf.npy":
                array[0] += 1
            changed = io.BytesIO()
            np.save(changed, array)
            bad.writestr(name, changed.getvalue())
    with pytest.raises(BadBundle, match="SHA-256 of idf"):
        load(forged)
