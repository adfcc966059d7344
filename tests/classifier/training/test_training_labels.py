from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.training.training_labels import BadLabels, Example, parse_labels, read_labels


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_become_examples(tmp_path: Path) -> None:
    path = _written(
        tmp_path,
        '\ufefftext,task,label\n"late, again",sentiment,negative\nwhere is it,topic,delivery\n',
    )
    assert read_labels(path) == [
        Example(text="late, again", task="sentiment", label="negative"),
        Example(text="where is it", task="topic", label="delivery"),
    ]


def test_columns_may_come_in_any_order_and_with_others() -> None:
    lines = ["id,label,text,task", "7,spam,win now,spam"]
    assert parse_labels(lines, "x.csv") == [Example(text="win now", task="spam", label="spam")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: no column 'text'; the header must be text,task,label"),
        ("text,label\na,b\n", "no column 'task'"),
        ("text,task,label\n", "no rows"),
        ("text,task,label\nfine,spam,ham\nhi,mood,ham\n", "line 3: unknown task 'mood'; known are"),
        ("text,task,label\nhi,sentiment,happy\n", "line 2: unknown sentiment 'happy'; known are"),
        ("text,task,label\nhi, there,spam,ham\n", "line 2: expected 3 fields; put texts with"),
        ("text,task,label\nhi,spam\n", "line 2: expected 3 fields"),
        ("text,task,label\n ,spam,ham\n", "line 2: the text is empty"),
        ("text,task,label\nhi,topic,\n", "line 2: the label is empty"),
        ('text,task,label\n"hi,spam,ham\n', "line 2: unexpected end of data"),
        (f"text,task,label\n{'a' * 40_001},spam,ham\n", "40001 characters"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadLabels) as refused:
        read_labels(_written(tmp_path, text))
    assert message in str(refused.value)
    assert "labels.csv" in str(refused.value)


def test_many_faults_are_counted_and_the_first_ten_shown() -> None:
    lines = ["text,task,label", *["hi,mood,ham"] * 15]
    with pytest.raises(BadLabels, match=r"line 11.*and 5 more") as refused:
        parse_labels(lines, "x.csv")
    assert "line 12" not in str(refused.value)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("text,task,label\ncafé,spam,ham\n".encode("latin-1"))
    with pytest.raises(BadLabels, match="not UTF-8"):
        read_labels(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=r"nowhere\.csv: No such file"):
        read_labels(tmp_path / "nowhere.csv")


@given(st.text(max_size=200))
def test_any_text_is_either_labels_or_refused(text: str) -> None:
    try:
        examples = parse_labels(["text,task,label\n", *text.splitlines(keepends=True)], "x.csv")
    except BadLabels:
        return
    assert examples
