"""Dead letters can be seen, retried and dropped; what they hold is shown without acting."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from dashboard.admin.dead_letters import SIZE
from earshot.database.tables import DeadLetterRow, EventRow
from earshot.log import dead_letters
from earshot.log.contract import PublishFailed
from earshot.log.dead_letters import SHOWN_BYTES, readable
from earshot.log.memory import MemoryLog
from tests.builders import NOON
from tests.dashboard.world import World, one, parsed

HOSTILE = b'{"text": "<script>alert(1)</script>\xff\x00\xe2\x80\xae"}'


def bury(world: World, count: int = 1, **changes: Any) -> list[int]:
    with world.sessions.begin() as session:
        first = len(session.scalars(select(DeadLetterRow.id)).all())
        rows = [
            {
                "topic": "mentions",
                "partition": 0,
                "offset": first + n,
                "brand": "acme",
                "source": "sim",
                "mention_id": f"simulator:{n}",
                "revision": 0,
                "reason": "Expected `str`, got `int` - at `$.text`",
                "key": b"sim:1",
                "value": HOSTILE,
                "headers": {"brand": "acme", "topic": "mentions", "from": "0:1", "reason": "x"},
                "state": "waiting",
                "buried_at": NOON,
            }
            | changes
            for n in range(count)
        ]
        return list(session.scalars(insert(DeadLetterRow).returning(DeadLetterRow.id), rows))


def states(world: World) -> list[str]:
    query = select(DeadLetterRow.state).order_by(DeadLetterRow.id)
    return list(world.read(lambda session: session.scalars(query).all()))


def test_letters_are_listed_page_by_page_and_only_those_of_the_brand(world: World) -> None:
    bury(world, SIZE + 3)
    bury(world, 2, brand="zen", topic="classified")
    mia = world.browser("mia")
    first = mia.get("/admin/dead")
    assert len(parsed(first).css("tbody tr")) == SIZE
    more = one(first, ".more a").attributes["href"]
    assert len(parsed(mia.get(more or "")).css("tbody tr")) == 3
    assert len(parsed(world.browser("charlie").get("/admin/dead")).css("tbody tr")) == 2


def test_what_was_received_is_shown_bounded_and_escaped(world: World) -> None:
    (letter,) = bury(world, value=HOSTILE + b"x" * 10_000)
    answer = world.browser("mia").get(f"/admin/dead/{letter}")
    shown = one(answer, "pre.raw").text()
    assert "<script>alert" not in answer.text
    assert "<script>alert(1)</script>" in shown
    assert r"\xff\x00\u202e" in shown
    assert "more" in shown
    assert len(shown) < 2 * SHOWN_BYTES


def test_a_letter_from_kafka_shows_kafkas_own_offset_and_no_other(world: World) -> None:
    (letter,) = bury(world, topic_id=str(uuid.uuid4()), partition=2, offset=41 * 1024)
    answer = world.browser("mia").get(f"/admin/dead/{letter}")
    assert "mentions 2:41<" in answer.text
    assert str(41 * 1024) not in answer.text
    assert "<bdi>brand</bdi>" in answer.text
    assert "<bdi>from</bdi>" not in answer.text  # the header holds what is stored


@given(st.binary(max_size=300))
def test_readable_bytes_hold_nothing_that_acts_or_hides(raw: bytes) -> None:
    shown = readable(raw, 200)
    assert all(char.isprintable() or char == "\n" for char in shown.text)
    assert shown.left_out == max(0, len(raw) - 200)


def test_only_an_admin_may_settle_and_only_waiting_letters_of_the_brand(world: World) -> None:
    mine = bury(world, 3)
    theirs = bury(world, brand="zen", topic="classified")
    form = {"id": [*mine[:2], *theirs]}
    assert world.browser("mia").post("/admin/dead/retry", form).status_code == 403
    assert world.browser("alice").get("/admin/dead").status_code == 403
    ada = world.browser("ada")
    assert ada.post("/admin/dead/retry", form).status_code == 302
    assert ada.post("/admin/dead/drop", {"id": [mine[1], mine[2]]}).status_code == 302
    assert states(world) == ["retry_wanted", "retry_wanted", "dropped", "waiting"]
    kinds = world.read(lambda s: s.scalars(select(EventRow.kind).order_by(EventRow.seq)).all())
    assert kinds == [
        "dead_letter.retry_wanted",
        "dead_letter.retry_wanted",
        "dead_letter.dropped",
    ]
    assert ada.get(f"/admin/dead/{theirs[0]}").status_code == 404


def test_choosing_nothing_changes_nothing_and_says_so(world: World) -> None:
    bury(world)
    ada = world.browser("ada")
    ada.post("/admin/dead/drop")
    assert "Select at least one dead letter." in ada.get("/admin/dead").text
    assert ada.post("/admin/dead/drop", {"id": ["1", "x"]}).status_code == 400
    assert states(world) == ["waiting"]


def test_a_wanted_retry_is_published_once_with_its_bytes_and_original_headers(
    world: World,
) -> None:
    ids = bury(world, 2)
    log = MemoryLog()
    log.create({"mentions": 1})
    with world.sessions.begin() as session:
        assert dead_letters.want_retry(session, ids[:1], "person:5", NOON) == 1
    for expected in (1, 0):
        with world.sessions.begin() as session:
            producer = log.producer()
            assert dead_letters.republish(session, producer, NOON) == expected
    (record,) = log.read("mentions", 0, 0, 10)
    assert record.key == b"sim:1"
    assert record.value == HOSTILE
    assert record.headers == {"brand": "acme"}
    assert states(world) == ["retried", "waiting"]


class _Refusing:
    """A producer whose log acknowledges nothing."""

    def send(self, *_: object, **__: object) -> None:
        return

    def flush(self, timeout_s: float = 30.0) -> None:
        raise PublishFailed("the log is away")

    def close(self) -> None:
        return


def test_a_retry_that_the_log_refuses_stays_wanted(world: World) -> None:
    ids = bury(world)
    with world.sessions.begin() as session:
        dead_letters.want_retry(session, ids, "person:5", NOON)
    with pytest.raises(PublishFailed), world.sessions.begin() as session:
        dead_letters.republish(session, _Refusing(), NOON)
    assert states(world) == ["retry_wanted"]


def test_a_letter_is_settled_once(world: World) -> None:
    ids = bury(world)
    with world.sessions.begin() as session:
        assert dead_letters.drop(session, ids, "person:5", NOON) == 1
        assert dead_letters.drop(session, ids, "person:5", NOON + timedelta(1)) == 0
        assert dead_letters.want_retry(session, ids, "person:5", NOON) == 0
    assert states(world) == ["dropped"]
