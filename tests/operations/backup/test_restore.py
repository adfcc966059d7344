"""A restore changes nothing until all is verified, and lets no role see a reply as queued."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from collectors.delivery import outbox
from collectors.delivery.after_restore import doubt_replies
from earshot.database import db, schema
from earshot.database.tables import EventRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from earshot.log.sqlite.log import SqliteLog
from earshot.runtime import connect
from earshot.settings import Database, Settings
from operations.accounting.ledger import PATH
from operations.backup import backup, manifest, restore
from operations.backup.backup import Installation
from operations.backup.manifest import BackupError, Manifest
from tests.builders import NOON
from tests.rows import a_person, a_reply, add_item, an_item

ROOT = Path(__file__).resolve().parents[3]
LATER = NOON + timedelta(hours=6)


def settings_at(home: Path, url: str = "") -> Settings:
    return Settings(home=str(home), brands=str(ROOT / "config/brands"), database=Database(url=url))


def nothing(session: Session, taken: Manifest, now: datetime) -> int:
    return 0


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    settings = settings_at(tmp_path / "home")
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    engine.dispose()
    connect.open_log(settings, "test").close()
    (settings.home_path / "secret_key").write_text("0" * 64)
    (settings.home_path / "sources").mkdir()
    backup.take(Installation(settings), tmp_path / "b", NOON)
    return tmp_path / "b"


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_restored_home_is_the_one_that_was_copied(taken: Path, tmp_path: Path) -> None:
    home = tmp_path / "new"
    assert restore.restore(settings_at(home), taken, nothing, NOON) == 0
    found = files(home)
    assert found.pop("earshot.db")
    assert found == files(taken / "home")
    schema.require(connect.open_database(settings_at(home)))


def test_a_home_that_is_not_empty_is_left_alone(taken: Path, tmp_path: Path) -> None:
    home = tmp_path / "new"
    home.mkdir()
    (home / "precious").write_text("x")
    with pytest.raises(BackupError, match=r"not empty.*--force"):
        restore.restore(settings_at(home), taken, nothing, NOON)
    assert files(home) == {"precious": b"x"}


def test_with_force_what_was_there_is_kept_aside(taken: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"  # the original's own
    before = files(home)
    restore.restore(settings_at(home), taken, nothing, NOON, force=True)
    (aside,) = home.glob("replaced-*")
    assert files(aside) == before
    restore.restore(settings_at(home), taken, nothing, LATER, force=True)
    assert len(list(home.glob("replaced-*"))) == 2
    again = backup.take(Installation(settings_at(home)), tmp_path / "again", LATER)
    assert not [file for file in again.files if "replaced-" in file.path]


def damage(folder: Path) -> None:
    (folder / "home/secret_key").write_text("1" * 64)


def take_away(folder: Path) -> None:
    (folder / "database/earshot.db").unlink()


def make_newer(folder: Path) -> None:
    path = folder / manifest.NAME
    path.write_text(path.read_text().replace(f'"schema": "{schema.newest()}"', '"schema": "9999"'))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage, "secret_key was changed"),
        (take_away, "earshot.db is missing"),
        (make_newer, "this version knows"),
    ],
)
def test_a_backup_that_is_not_whole_touches_nothing(
    taken: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(taken)
    home = tmp_path / "home"
    before = files(home)
    with pytest.raises(BackupError, match=said):
        restore.restore(settings_at(home), taken, nothing, NOON, force=True)
    assert files(home) == before


def test_a_restore_that_ended_half_way_can_be_done_again(taken: Path, tmp_path: Path) -> None:
    home = tmp_path / "new"

    def end(session: Session, taken: Manifest, now: datetime) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore.restore(settings_at(home), taken, end, NOON)
    assert not (home / "earshot.db").exists()
    restore.restore(settings_at(home), taken, nothing, NOON)
    assert (home / "earshot.db").exists()
    assert not (home / ".restoring").exists()


def test_a_disk_without_room_is_told(taken: Path, small_disk: Path) -> None:
    with pytest.raises(BackupError, match="room"):
        restore.restore(settings_at(small_disk / "home"), taken, nothing, NOON)
    assert not (small_disk / "home/earshot.db").exists()


def test_a_database_elsewhere_is_restored_there(taken: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "data/e.db"
    settings = settings_at(tmp_path / "new", f"sqlite:///{elsewhere}")
    restore.restore(settings, taken, nothing, NOON)
    schema.require(connect.open_database(settings))
    assert elsewhere.exists()
    shutil.rmtree(tmp_path / "new")
    with pytest.raises(BackupError, match=r"e\.db is not empty"):
        restore.restore(settings, taken, nothing, NOON)


@pytest.mark.services
def test_kinds_of_database_are_not_mixed_and_a_full_one_is_refused(
    taken: Path, tmp_path: Path, new_postgres_database: str
) -> None:
    settings = settings_at(tmp_path / "new", new_postgres_database)
    with pytest.raises(BackupError, match="holds a sqlite database"):
        restore.restore(settings, taken, nothing, NOON)
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    engine.dispose()
    backup.take(Installation(settings), tmp_path / "pg", NOON)
    with pytest.raises(BackupError, match="has tables already"):
        restore.restore(
            settings_at(tmp_path / "new2", new_postgres_database), tmp_path / "pg", nothing, NOON
        )


def test_every_group_reads_again_what_came_after_the_backup(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log")
    log.create(dict.fromkeys({topic for topic, _ in PATH}, 1))

    def publish_and_read() -> None:
        producer = log.producer()
        for topic, group in PATH:
            producer.send(topic, b"k", b"v")
            producer.flush()
            consumer = log.consumer(topic, group)
            assert consumer.poll(10, 10.0)
            consumer.commit()
            consumer.close()
        producer.close()

    publish_and_read()
    offsets = backup.offsets_of(log)
    publish_and_read()
    assert sum(log.lag(*of) for of in PATH) == 0
    restore.take_back(log, offsets)
    assert [log.lag(*of) for of in PATH] == [1, 1, 1, 1]
    log.close()


# ------------------------------------------------------------------ replies


def put(sessions: db.Sessions, **columns: Any) -> int:
    with sessions.begin() as session:
        session.add(a_person())
        add_item(session, an_item(state=ItemState.SENDING))
        session.add(a_reply(**columns))
    return 1


@pytest.mark.parametrize("state", [ReplyState.QUEUED, ReplyState.SENDING, ReplyState.UNKNOWN])
def test_what_may_have_been_sent_is_read_back_first(
    sessions: db.Sessions, state: ReplyState
) -> None:
    reply = put(
        sessions,
        state=state,
        queued_at=NOON,
        lease_until=LATER + timedelta(seconds=60),
        lease_epoch=7,
        looked=1,
        attempts=0 if state is ReplyState.QUEUED else 1,
        first_attempt_at=None if state is ReplyState.QUEUED else NOON,
        not_before=LATER + timedelta(seconds=10),
    )
    with sessions.begin() as session:
        assert doubt_replies(session, NOON, LATER) == 1
    with sessions.begin() as session:
        assert outbox.due(session, ["sim"], LATER, 10) == [reply]
        held = outbox.claim(session, reply, "me", LATER, 90.0)
        assert held is not None
        # not QUEUED: the sender looks, and an attempt knows that there may have been one before
        assert (held.state, held.attempts, held.reads) == (ReplyState.UNKNOWN, 1, 0)
        assert held.epoch == 9
        assert held.answer.since == NOON
        (event,) = session.scalars(select(EventRow).where(EventRow.kind == "reply.unknown"))
        assert event.before == {"state": state}
        assert event.why is not None
        assert "restored" in event.why["reason"]


@pytest.mark.parametrize(
    "state",
    [
        ReplyState.AWAITING_APPROVAL,
        ReplyState.CONFIRMED,
        ReplyState.FAILED,
        ReplyState.WITHDRAWN,
    ],
)
def test_what_is_not_on_its_way_stays_as_it_is(sessions: db.Sessions, state: ReplyState) -> None:
    reply = put(sessions, state=state, changed_at=NOON)
    with sessions.begin() as session:
        assert doubt_replies(session, NOON, LATER) == 0
        row = session.get(ReplyRow, reply)
        assert row is not None
        assert (row.state, row.attempts, row.changed_at) == (state, 0, NOON)


def test_what_the_platform_took_is_only_confirmed(sessions: db.Sessions) -> None:
    reply = put(sessions, state=ReplyState.SENT, lease_until=LATER, lease_epoch=2)
    with sessions.begin() as session:
        session.execute(update(ReplyRow).values(native_id="n1"))
    with sessions.begin() as session:
        assert doubt_replies(session, NOON, LATER) == 0
        held = outbox.claim(session, reply, "me", LATER, 90.0)
        assert held is not None
        assert (held.state, held.native_id) == (ReplyState.SENT, "n1")
