"""`earshot dead` lists, shows, retries and drops what the desk does, and says what it could not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert, select

from earshot.database import db, schema
from earshot.database.tables import DeadLetterRow, EventRow
from earshot.runtime import connect
from earshot.settings import Settings
from operations.cli import main
from tests.builders import NOON
from tests.operations.test_cli import bare

HOSTILE = b'{"text": "\x1b[2J\xff\x00\xe2\x80\xae"}'


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> db.Sessions:
    """A database with three letters of acme and one of zen, the one that the command sees."""
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path)))
    engine = connect.open_database(Settings(home=str(tmp_path)))
    schema.upgrade(engine)
    made = db.open_sessions(engine)
    with made.begin() as session:
        session.execute(
            insert(DeadLetterRow),
            [
                {
                    "topic": "mentions",
                    "partition": 0,
                    "offset": number,
                    "brand": "zen" if number == 4 else "acme",
                    "source": "sim",
                    "mention_id": f"simulator:{number}",
                    "revision": 0,
                    "reason": "Expected `str`\tgot \x1b[31mred\n",
                    "key": b"sim:1",
                    "value": HOSTILE,
                    "headers": {"brand": "acme", "note": "\x07"},
                    "state": "waiting",
                    "buried_at": NOON,
                }
                for number in (1, 2, 3, 4)
            ],
        )
    return made


def dead(*words: str) -> Result:
    return CliRunner().invoke(main, ["dead", *words])


def states(sessions: db.Sessions) -> list[str]:
    with sessions.begin() as session:
        return list(session.scalars(select(DeadLetterRow.state).order_by(DeadLetterRow.id)))


def objects(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def test_letters_are_listed_one_a_line_whatever_they_hold(sessions: db.Sessions) -> None:
    lines = dead("list").output.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3", "4"]
    assert lines[0] == ("1\tmentions\tacme\tsim\tsimulator:1\tExpected `str`\\tgot \\x1b[31mred\\n")


def test_a_list_is_narrowed_and_goes_on_behind_an_id(sessions: db.Sessions) -> None:
    assert [o["id"] for o in objects(dead("list", "--json", "--brand", "acme"))] == [1, 2, 3]
    assert [o["id"] for o in objects(dead("list", "--json", "--after", "1", "--limit", "2"))] == [
        2,
        3,
    ]


def test_a_letter_is_shown_with_everything_that_could_act_written_out(
    sessions: db.Sessions,
) -> None:
    (shown,) = objects(dead("show", "1", "--brand", "acme", "--json"))
    assert shown["value"] == r'{"text": "\x1b[2J\xff\x00\u202e"}'
    assert shown["headers"] == {"brand": "acme", "note": r"\x07"}
    assert (shown["state"], shown["offset"], shown["left_out"]) == ("waiting", 1, 0)
    assert shown["place"] == "mentions 0:1"
    words = dead("show", "1", "--brand", "acme").output
    assert "mention_id: simulator:1\n" in words
    assert words.endswith('\n{"text": "\\x1b[2J\\xff\\x00\\u202e"}\n')
    assert "\x1b" not in words


def test_a_letter_of_another_brand_is_none(sessions: db.Sessions) -> None:
    result = dead("show", "4", "--brand", "acme")
    assert result.exit_code == 1
    assert "4 is no dead letter of brand 'acme'" in result.output


def test_letters_are_retried_and_dropped_once_with_an_event_each(sessions: db.Sessions) -> None:
    assert dead("retry", "1", "2").output == "2 of 2 will be retried\n"
    assert objects(dead("drop", "3", "--json")) == [{"asked": 1, "done": 1}]
    assert states(sessions) == ["retry_wanted", "retry_wanted", "dropped", "waiting"]
    with sessions.begin() as session:
        events = session.execute(select(EventRow.kind, EventRow.actor, EventRow.subject)).all()
    assert sorted(tuple(event) for event in events) == [
        ("dead_letter.dropped", "role:cli", "3"),
        ("dead_letter.retry_wanted", "role:cli", "1"),
        ("dead_letter.retry_wanted", "role:cli", "2"),
    ]


@pytest.mark.parametrize("act", ["retry", "drop"])
def test_what_does_not_wait_is_told_and_the_rest_is_done(sessions: db.Sessions, act: str) -> None:
    dead("drop", "1")
    result = dead(act, "1", "2", "2", "99")
    assert result.exit_code == 1
    assert "1 of 3 " in result.output
    assert "2 of them are not waiting" in result.output
    assert states(sessions)[1] != "waiting"


def test_at_least_one_is_named(sessions: db.Sessions) -> None:
    assert dead("retry").exit_code == 2
    assert dead("drop").exit_code == 2
