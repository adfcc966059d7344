"""What an operator writes in YAML: every complaint names file, line, path and remedy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from earshot.yaml_source import NODE_LIMIT, SIZE_LIMIT, OperatorError, parse, read


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: int


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    parts: list[Part] = []
    names: dict[str, str] = {}


def complaint(text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        parse(text, "f.yaml").convert(Whole)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "f.yaml: the file is empty"),
        ("# nothing\n", "f.yaml: the file is empty"),
        ("---\n", "f.yaml, line 2: Expected `object`, got `null`"),
        ("parts:\n  - size: 1\n  - size: x\n", "f.yaml, line 3, parts.1.size: Expected `int`"),
        ("parts:\n  - size: 1\n  - {}\n", "line 3, parts.1: Object missing required field `size`"),
        ("parts:\n\n\n  - sise: 1\n", "line 4, parts.0: Object contains unknown field `sise`"),
        ("names:\n  a: b\n  a: c\n", "f.yaml, line 3: 'a' is given twice"),
        ("names:\n  a: b\n  1: c\n", "line 1, names: Expected `str`, got `int` as a key"),
        ("names:\n  a: 1\n", "line 1, names: Expected `str`, got `int`"),
        ("a: b\nc: [1, 2\n", "f.yaml, line 3, column 1: expected ',' or ']'"),
        ("a: b\n\tc: d\n", "f.yaml, line 2, column 1: found character '\\t'"),
        ("a: b\nc: *d\n", "f.yaml, line 2, column 4: found undefined alias"),
        ("a: b\nc: !!python/object/apply:os.system [ls]\n", "f.yaml, line 2, column 4"),
        ("a: b\nc: 2026-13-45\n", "f.yaml, line 2, column 4: '2026-13-45' is no"),
        ('a: b\nc: !!int ""\n', "f.yaml, line 2, column 4: '' is no tag:yaml.org,2002:int"),
        ('a: b\nc: !!bool "x"\n', "f.yaml, line 2, column 4: 'x' is no"),
        ('a: b\nc: !!timestamp "x"\n', "f.yaml, line 2, column 4: 'x' is no"),
        ("a: b\nc: \x00\n", "f.yaml, line 2: the character U+0000"),
        ("a: b\n? [c, d]\n: e\n", "f.yaml, line 2"),
        ("a: &a\n  b: *a\n", "f.yaml, line 1: an alias that contains itself"),
        ("a: b\n--- c\n", "f.yaml, line 2, column 1"),
    ],
)
def test_a_complaint_says_where_and_what(text: str, said: str) -> None:
    assert said in complaint(text)


def test_aliases_of_aliases_are_refused_before_they_grow() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert f"more than {NODE_LIMIT} values" in complaint("\n".join(lines))


def test_merges_of_merges_are_refused_before_they_grow() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, 9)]
    assert f"more than {NODE_LIMIT} values" in complaint("\n".join(lines))


@pytest.mark.parametrize("opening", ["[", "a: {", "- "])
def test_deep_nesting_is_refused_in_words(opening: str) -> None:
    assert complaint(opening * 20_000).startswith("f.yaml, line 1")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    file.write_bytes(b"# " + b"x" * SIZE_LIMIT)
    with pytest.raises(OperatorError, match=rf"big\.yaml: {SIZE_LIMIT + 2} bytes is over the"):
        read(file)


def test_a_file_that_is_not_utf8_says_at_which_byte(tmp_path: Path) -> None:
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"name: caf\xe9\n")
    with pytest.raises(OperatorError, match=r"latin\.yaml: not UTF-8 at byte 9; save it as UTF-8"):
        read(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.yaml: No such file or directory; create it"):
        read(tmp_path / "none.yaml")


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbfnames: {a: b}\n")
    assert read(file).convert(Whole).names == {"a": "b"}


def test_a_path_that_is_not_there_has_the_line_of_its_nearest_part() -> None:
    source = parse("a:\n  b:\n    - c\n    - d\n", "f.yaml")
    assert [source.line(*p) for p in ((), ("a",), ("a", "b", 1), ("a", "b", 9, "x"))] == [
        1,
        1,
        4,
        2,
    ]
    assert str(source.error("wrong", "a", "b", 0)) == "f.yaml, line 3, a.b.0: wrong"


SIGNS = "ab:-[]{}&*!|>%@`'\"#,? \n0.~<"


@given(st.text(max_size=200) | st.text(alphabet=SIGNS, max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    with suppress(OperatorError):
        assert parse(text, "f.yaml").line() >= 1
