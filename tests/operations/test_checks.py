"""Each check tells what is well from what is wrong, and every wrong is provoked for real."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, select, text, update
from sqlalchemy.engine import URL

from earshot.database import db, schema
from earshot.database.tables import AssignmentRow, EventRow, SourceHealthRow
from earshot.domain import Classified, ItemState, ReplyState
from earshot.log.contract import Log
from earshot.log.memory import MemoryLog
from earshot.log.sqlite.log import SqliteLog
from earshot.log.topics import CLASSIFIED, MENTIONS, TOPICS
from earshot.runtime.metrics import Metrics
from earshot.runtime.role import ROLES
from earshot.runtime.telemetry import HealthServer, Probe
from operations.accounting.ledger import PATH
from operations.checks import database, log, machine, roles
from operations.checks.finding import Finding, Well, Wrong, in_words, to_json
from operations.retention import clock_watch
from tests.builders import NOON, a_classification, a_mention
from tests.rows import a_person, a_reply, add_item, an_item, item_id


def wrong(found: Finding, subject: str, said: str) -> None:
    assert isinstance(found, Wrong), found
    assert found.subject == subject
    assert said in found.said
    assert found.remedy


def test_a_finding_is_one_line_and_one_object() -> None:
    assert in_words(Well("disk", "3 GB")) == "ok     disk: 3 GB"
    assert in_words(Wrong("disk", "none", "free some")) == "WRONG  disk: none; free some"
    assert to_json(Well("disk", "3 GB")) == {"subject": "disk", "ok": True, "said": "3 GB"}
    assert to_json(Wrong("disk", "none", "free some"))["ok"] is False


# ------------------------------------------------------------------ the machine


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert isinstance(machine.folder(tmp_path), Well)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_none_or_can_not_be_written_is_wrong(tmp_path: Path) -> None:
    wrong(machine.folder(tmp_path / "nowhere"), "data folder", "is not a folder")
    (tmp_path / "file").touch()
    wrong(machine.folder(tmp_path / "file"), "data folder", "is not a folder")
    wrong(machine.folder(Path("/proc")), "data folder", "can't be written")


def test_a_full_disk_is_wrong(small_disk: Path) -> None:
    assert isinstance(machine.folder(small_disk), Well)
    wrong(machine.room(small_disk), "disk", "0.0 GB free")
    with pytest.raises(OSError, match="No space left"), (small_disk / "all").open("wb") as file:
        file.write(b"\0" * 2**20)
    wrong(machine.folder(small_disk), "data folder", "No space left")


def test_the_disk_of_a_folder_that_is_still_to_be_made_is_found(tmp_path: Path) -> None:
    assert isinstance(machine.room(tmp_path / "a/b/c", least_bytes=1), Well)


# ------------------------------------------------------------------ the database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = db.connect(database_url)
    schema.upgrade(made)
    yield made
    made.dispose()


def test_a_database_in_order_is_well(engine: Engine) -> None:
    found = [
        database.reachable(engine),
        database.revision(engine),
        database.durable(engine),
        database.sound(engine),
        database.clock(engine, lambda: datetime.now(UTC)),
        database.held(engine),
        database.purging(engine),
    ]
    assert [finding for finding in found if isinstance(finding, Wrong)] == []


def test_a_server_that_does_not_answer_is_wrong_without_its_password() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = db.connect(f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/d")
    found = database.reachable(engine)
    wrong(found, "database", f"127.0.0.1:{port}/d does not respond")
    assert "s3cret" not in in_words(found)
    assert "check that the server runs" in in_words(found)


def test_an_old_schema_and_none_are_wrong(database_url: str) -> None:
    engine = db.connect(database_url)
    wrong(database.revision(engine), "schema", "schema is at nothing")
    schema.upgrade(engine, "0001")
    found = database.revision(engine)
    wrong(found, "schema", "schema is at 0001")
    assert "earshot db upgrade" in in_words(found)
    engine.dispose()


def test_a_file_that_is_damaged_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    engine = db.connect(f"sqlite:///{path}")
    schema.upgrade(engine)
    engine.dispose()
    with path.open("r+b") as file:
        file.seek(2 * 4096)
        file.write(b"\xa5" * 4096 * 6)
    engine = db.connect(f"sqlite:///{path}")
    wrong(database.sound(engine), "database file", "damaged")
    engine.dispose()


def test_a_disk_that_knows_no_write_ahead_log_is_wrong(tmp_path: Path) -> None:
    # without shared memory SQLite falls back to another journal, as on a network's disk
    url = URL.create(
        "sqlite", database=f"file:{tmp_path}/e.db?vfs=unix-none", query={"uri": "true"}
    )
    engine = create_engine(url)
    wrong(database.durable(engine), "durability", "journal_mode is delete")
    engine.dispose()


@pytest.mark.services
def test_a_server_that_may_lose_commits_or_is_too_old_is_wrong(new_postgres_database: str) -> None:
    engine = db.connect(new_postgres_database)
    name = make_url(new_postgres_database).database
    with engine.begin() as connection:
        connection.execute(text(f"alter database {name} set synchronous_commit = off"))
    engine.dispose()
    wrong(database.durable(engine), "durability", "synchronous_commit is off")
    wrong(database.sound(engine, oldest=990_000), "server", "PostgreSQL")
    engine.dispose()


@pytest.mark.services
@pytest.mark.parametrize(("skew_s", "said"), [(3_600, "3600 s ahead of"), (-3_600, "behind")])
def test_a_clock_that_is_off_the_databases_is_wrong(
    new_postgres_database: str, skew_s: int, said: str
) -> None:
    engine = db.connect(new_postgres_database)
    schema.upgrade(engine)
    skew = timedelta(seconds=skew_s)
    found = database.clock(engine, lambda: datetime.now(UTC) + skew)
    wrong(found, "clock", said)
    engine.dispose()


def test_a_purge_that_is_held_back_is_wrong(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        clock_watch.hold(session, NOON, "the clock went ahead by 400 days", "role:sweep")
    found = database.purging(engine)
    wrong(found, "purge", "since 2026-03-02 12:00 UTC: the clock went ahead by 400 days")


def test_a_clock_that_was_set_back_is_wrong(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        session.add(
            EventRow(
                brand="acme",
                at=datetime.now(UTC) + timedelta(hours=1),
                actor="role:route",
                kind="mention.new",
                subject="x",
            )
        )
    wrong(database.clock(engine, lambda: datetime.now(UTC)), "clock", "behind the newest event")


# ------------------------------------------------------------------ the log


def test_items_that_nobody_holds_and_assignments_of_nothing_are_wrong(engine: Engine) -> None:
    assert isinstance(database.held(engine), Well)
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        session.flush()
        held = an_item("simulator:1", state=ItemState.ASSIGNED, assignee_id=1)
        session.add_all([held, an_item("simulator:2", state=ItemState.QUEUED)])
        held_id = held.id
        session.flush()
        session.add(an_assignment(item_id("acme", "simulator:2")))
    wrong(database.held(engine), "held items", "2 have no assignee, or an assignment")
    with db.open_sessions(engine).begin() as session:
        session.execute(update(AssignmentRow).values(item_id=held_id))
    assert isinstance(database.held(engine), Well)


def an_assignment(item: int) -> AssignmentRow:
    return AssignmentRow(
        brand="acme",
        item_id=item,
        person_id=1,
        state="accepted",
        made_at=NOON,
        policy_version="v1",
        explain={},
    )


@pytest.fixture(params=["memory", "sqlite"])
def messages(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made: Log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log")
    made.create({t.name: 2 for t in TOPICS} | {t.dead: 1 for t in TOPICS})
    yield made
    made.close()


def publish(messages: Log, *values: tuple[str, bytes]) -> None:
    producer = messages.producer()
    for topic, value in values:
        producer.send(topic, b"k", value)
    producer.flush()
    producer.close()


def test_topics_that_are_missing_or_cut_otherwise_are_wrong(messages: Log) -> None:
    assert isinstance(log.partitions(messages, {MENTIONS.name: 2, MENTIONS.dead: 1}), Well)
    wrong(
        log.partitions(messages, {MENTIONS.name: 4}), "topics", "mentions has 2 partitions, not 4"
    )
    wrong(log.partitions(messages, {"nonsense": 1}), "topics", "no topic 'nonsense'")


def test_a_record_that_nobody_reads_is_wrong_once_it_is_old(messages: Log) -> None:
    old, new = (a_mention(collected_at=NOON + timedelta(seconds=s)) for s in (0, 80))
    publish(
        messages,
        (MENTIONS.name, MENTIONS.encode(old)),
        (MENTIONS.name, MENTIONS.encode(new)),
        (
            CLASSIFIED.name,
            CLASSIFIED.encode(Classified(mention=new, classification=a_classification())),
        ),
    )
    soon, later = (NOON + timedelta(seconds=s) for s in (30, 90))
    assert all(isinstance(found, Well) for found in log.waiting(messages, PATH, soon))
    first, *others = log.waiting(messages, PATH, later)
    wrong(first, "log mentions", "2 waiting for classify, the oldest for 90 s")
    assert all(isinstance(found, Well) for found in others)


def test_a_record_that_was_read_or_can_not_be_read_is_not_late(messages: Log) -> None:
    publish(messages, (MENTIONS.name, MENTIONS.encode(a_mention(collected_at=NOON))))
    consumer = messages.consumer(MENTIONS.name, "classify")
    assert consumer.poll(10, 5.0)
    consumer.commit()
    publish(messages, (CLASSIFIED.name, b"{"))
    late = NOON + timedelta(hours=1)
    assert all(isinstance(found, Well) for found in log.waiting(messages, PATH, late))
    consumer.close()


# ------------------------------------------------------------------ the roles


def health(**changes: object) -> SourceHealthRow:
    columns = {
        "brand": "acme",
        "source": "sim",
        "platform": "simulator",
        "state": "ok",
        "polled_at": NOON,
        "next_poll_at": NOON,
        "collected": 1,
    }
    return SourceHealthRow(**columns | changes)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (None, "it has never been polled"),
        (
            health(state="failing", error="429", failing_since=NOON),
            "failing since 2026-03-02 12:00",
        ),
        (health(state="stopped", error="bad token"), "stopped: bad token"),
        (health(next_poll_at=NOON - timedelta(hours=1)), "the last poll was at 2026-03-02 12:00"),
        (
            health(polled_at=NOON + timedelta(hours=1), next_poll_at=NOON + timedelta(hours=1)),
            "and it is 2026-03-02 12:00 UTC now: the clock was set back",
        ),
    ],
)
def test_a_source_that_is_not_polled_is_wrong(
    engine: Engine, row: SourceHealthRow | None, said: str
) -> None:
    with db.open_sessions(engine).begin() as session:
        if row is not None:
            session.merge(row)
    with db.open_readers(engine).begin() as session:
        (found,) = roles.sources(session, ["sim"], NOON)
    wrong(found, "source sim", said)


def test_a_source_that_is_polled_is_well_and_one_that_is_gone_is_nobodys(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        session.add_all([health(), health(source="gone", state="failing")])
    with db.open_readers(engine).begin() as session:
        (found,) = roles.sources(session, ["sim"], NOON + timedelta(seconds=60))
    assert isinstance(found, Well)


def test_replies_that_nobody_takes_up_are_wrong(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        session.add(a_person())
        add_item(session, an_item(state=ItemState.SENDING))
        session.add(a_reply(state=ReplyState.QUEUED, not_before=NOON))
    with db.open_readers(engine).begin() as session:
        assert isinstance(roles.outbox(session, NOON + timedelta(seconds=60)), Well)
        found = roles.outbox(session, NOON + timedelta(minutes=10))
        assert session.scalar(select(1)) == 1
    wrong(
        found, "outbox", "1 replies are due but not being sent, the oldest since 2026-03-02 12:00"
    )


def free_ports() -> int:
    """The first of as many free ports in a row as there are roles."""
    for first in range(20_000, 30_000, 50):
        try:
            for number in range(len(ROLES)):
                socket.create_server(("127.0.0.1", first + number)).close()
        except OSError:
            continue
        return first
    raise AssertionError("no free ports")


def test_a_role_that_does_not_answer_or_is_stuck_is_wrong() -> None:
    first, now = free_ports(), [0.0]
    wrong(roles.probes("127.0.0.1", first, ("send",)), "roles", "send does not answer")
    assert isinstance(roles.probes("127.0.0.1", first, ()), Well)
    assert isinstance(roles.probes("127.0.0.1", 0, ("send",)), Well)
    probe = Probe(lambda: now[0])
    server = HealthServer("127.0.0.1", first + ROLES.index("send"), probe, Metrics("send"))
    try:
        found = roles.probes("::", first, ("send",))
        assert found == Well("roles", "on this machine run send")
        now[0] = 1_000.0
        found = roles.probes("127.0.0.1", first, ("send",))
        wrong(found, "roles", "send finished nothing for two minutes")
    finally:
        server.close()
