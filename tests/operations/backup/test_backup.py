"""A backup is whole or not there at all, and its copies claim no more than each other hold."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from earshot.database import schema
from earshot.log.sqlite.log import SqliteLog
from earshot.runtime import connect
from earshot.settings import Database, Settings
from operations.backup import backup, manifest, postgres_dump, sqlite_copy
from operations.backup.backup import Installation
from operations.backup.manifest import BackupError
from tests.builders import NOON

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One that has a schema, a log with one read and one unread record, and a key."""
    settings = Settings(home=str(tmp_path / "home"), brands=str(ROOT / "config/brands"))
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    engine.dispose()
    log = connect.open_log(settings, "test")
    producer, consumer = log.producer(), log.consumer("mentions", "classify")
    producer.send("mentions", b"k", b"first")
    producer.flush()
    assert consumer.poll(10, 5.0)
    consumer.commit()
    producer.send("mentions", b"k", b"second")
    producer.flush()
    consumer.close()
    producer.close()
    log.close()
    (settings.home_path / "secret_key").write_text("0" * 64)
    config = tmp_path / "earshot.toml"
    config.write_text("[demo]\nrate = 1.0\n")
    return Installation(settings, config)


def test_a_backup_holds_everything_and_says_what(
    installation: Installation, tmp_path: Path
) -> None:
    taken = backup.take(installation, tmp_path / "b", NOON)
    assert manifest.read(tmp_path / "b") == taken
    manifest.verify(tmp_path / "b", taken)
    there = {
        path.relative_to(tmp_path / "b").as_posix()
        for path in (tmp_path / "b").rglob("*")
        if path.is_file()
    }
    assert there == {file.path for file in taken.files} | {manifest.NAME}
    assert {
        "database/earshot.db",
        "home/log/mentions.log",
        "home/log/mentions.groups",
        "home/secret_key",
        "config/earshot.toml",
        "config/brands/acme/brand.yaml",
    } <= there
    assert not [name for name in there if name.endswith(sqlite_copy.SIDE_FILES)]
    assert (taken.schema, taken.taken_at) == (schema.newest(), NOON)
    assert not list(tmp_path.glob("*.partial*"))
    log = SqliteLog(tmp_path / "b/home/log")
    assert log.lag("mentions", "classify") == 1
    log.close()


def test_nobody_else_may_read_it(installation: Installation, tmp_path: Path) -> None:
    backup.take(installation, tmp_path / "b", NOON)
    assert (tmp_path / "b").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("where", "said"), [("b", "there already"), ("home/b", "below home")])
def test_a_place_that_will_not_do_is_refused(
    installation: Installation, tmp_path: Path, where: str, said: str
) -> None:
    target = tmp_path / where
    if where == "b":
        target.mkdir()
    with pytest.raises(BackupError, match=said):
        backup.take(installation, target, NOON)


def test_an_installation_without_schema_is_nothing_to_back_up(tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path / "home"))
    with pytest.raises(BackupError, match="no schema yet"):
        backup.take(Installation(settings), tmp_path / "b", NOON)


def test_a_damaged_database_is_told_and_leaves_no_backup(
    installation: Installation, tmp_path: Path
) -> None:
    path = installation.home / "earshot.db"
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096 * 4)
    with pytest.raises(BackupError, match=r"damaged|malformed"):
        backup.take(installation, tmp_path / "b", NOON)
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob("*.partial*"))


def test_a_disk_without_room_is_told_and_leaves_nothing(
    installation: Installation, small_disk: Path
) -> None:
    with pytest.raises(BackupError, match=r"room|full"):
        backup.take(installation, small_disk / "b", NOON)
    assert not list(small_disk.iterdir())


def test_a_copy_is_of_one_moment_while_others_write(tmp_path: Path) -> None:
    source, stop = tmp_path / "busy.db", threading.Event()
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("create table pair (a integer, b integer)")
        connection.execute("insert into pair values (0, 0)")
        connection.commit()

    def write() -> None:
        with closing(sqlite3.connect(source, isolation_level=None)) as connection:
            n = 0
            while not stop.is_set():
                n += 1
                connection.execute("begin immediate")
                connection.execute("update pair set a = ?", (n,))
                connection.execute("update pair set b = ?", (n,))
                connection.execute("insert into pair select a, b from pair limit 100")
                connection.execute("commit")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(10):
            target = tmp_path / f"copy{number}.db"
            sqlite_copy.copy(source, target)
            with closing(sqlite3.connect(target)) as copied:
                pairs = copied.execute("select distinct a, b from pair").fetchall()
            assert len(pairs) == 1
            assert pairs[0][0] == pairs[0][1]
    finally:
        stop.set()
        writer.join()


# ------------------------------------------------------------------ the order of the copies


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    made = SqliteLog(tmp_path / "log", clock=NOON.timestamp)
    made.create({"mentions": 1})
    yield made
    made.close()


def publish(log: SqliteLog, *values: bytes) -> None:
    producer = log.producer()
    for value in values:
        producer.send("mentions", b"k", value)
    producer.flush()
    producer.close()


def read_one(log: SqliteLog) -> None:
    consumer = log.consumer("mentions", "classify")
    assert len(consumer.poll(1, 5.0)) == 1
    consumer.commit()
    consumer.close()


def test_a_log_that_was_trimmed_between_offsets_and_records_is_noticed(
    log: SqliteLog, tmp_path: Path
) -> None:
    records, groups = tmp_path / "log/mentions.log", tmp_path / "log/mentions.groups"
    publish(log, b"one", b"two", b"three")
    read_one(log)
    early = tmp_path / "early.groups"
    sqlite_copy.copy(groups, early)
    assert not sqlite_copy.lost_unread(records, early)
    read_one(log)
    log.trim("mentions", -1.0)
    assert not sqlite_copy.lost_unread(records, groups)
    assert sqlite_copy.lost_unread(records, early)


def test_what_was_trimmed_before_the_offsets_were_copied_is_no_loss(
    log: SqliteLog, tmp_path: Path
) -> None:
    publish(log, b"one")
    read_one(log)
    log.trim("mentions", -1.0)
    log_folder = tmp_path / "log"
    assert not sqlite_copy.lost_unread(log_folder / "mentions.log", log_folder / "mentions.groups")


def test_a_backup_that_met_a_trim_is_copied_anew(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second record is read and trimmed once the offsets are copied, and not after that."""
    truly = sqlite_copy.copy
    trimmed: list[Path] = []

    def copy_and_trim(source: Path, target: Path) -> None:
        truly(source, target)
        if source.name == "earshot.db" and not trimmed:
            trimmed.append(target)
            live = connect.open_log(installation.settings, "test")
            consumer = live.consumer("mentions", "classify")
            assert consumer.poll(10, 10.0)
            consumer.commit()
            consumer.close()
            assert live.trim("mentions", -1.0) == 2
            live.close()

    monkeypatch.setattr(sqlite_copy, "copy", copy_and_trim)
    backup.take(installation, tmp_path / "b", NOON)
    assert trimmed
    copied = SqliteLog(tmp_path / "b/home/log")
    assert copied.lag("mentions", "classify") == 0
    copied.close()


# ------------------------------------------------------------------ the manifest


@pytest.fixture
def taken(installation: Installation, tmp_path: Path) -> Path:
    backup.take(installation, tmp_path / "b", NOON)
    return tmp_path / "b"


def test_every_file_that_is_not_as_it_was_is_named(taken: Path) -> None:
    (taken / "home/secret_key").write_text("1" * 64)
    (taken / "config/earshot.toml").write_text("shorter")
    (taken / "home/log/mentions.log").unlink()
    with pytest.raises(BackupError) as told:
        manifest.verify(taken, manifest.read(taken))
    for said in ("secret_key was changed", "earshot.toml has 7 bytes", "mentions.log is missing"):
        assert said in str(told.value)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "home/../../secret", ""])
def test_a_path_that_leads_outside_is_refused(taken: Path, path: str) -> None:
    (taken.parent / "secret").write_text("x")
    file = manifest.CopiedFile(path=path, size=1, sha256=manifest.checksum(taken.parent / "secret"))
    said = manifest.read(taken)
    forged = manifest.Manifest(
        **{name: getattr(said, name) for name in said.__struct_fields__ if name != "files"},
        files=(file,),
    )
    with pytest.raises(BackupError, match="no path below it"):
        manifest.verify(taken, forged)


def test_a_link_is_no_file_of_a_backup(taken: Path) -> None:
    key = taken / "home/secret_key"
    shutil.move(key, taken.parent / "elsewhere")
    key.symlink_to(taken.parent / "elsewhere")
    with pytest.raises(BackupError, match="secret_key is missing"):
        manifest.verify(taken, manifest.read(taken))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "damaged"),
        (b'{"format": 1}', "damaged"),
        (b"[]", "damaged"),
    ],
)
def test_a_manifest_that_can_not_be_read_is_told(taken: Path, text: bytes, said: str) -> None:
    (taken / manifest.NAME).write_bytes(text)
    with pytest.raises(BackupError, match=said):
        manifest.read(taken)


def test_a_folder_without_manifest_and_a_later_format_are_told(taken: Path) -> None:
    with pytest.raises(BackupError, match="No such file"):
        manifest.read(taken.parent)
    path = taken / manifest.NAME
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(BackupError, match="format 2"):
        manifest.read(taken)


# ------------------------------------------------------------------ PostgreSQL


@pytest.mark.services
def test_a_password_is_never_said(new_postgres_database: str, tmp_path: Path) -> None:
    wrong = new_postgres_database.replace("postgres@", "nobody:s3cret@", 1)
    with pytest.raises(BackupError, match="pg_dump with postgresql://nobody:") as told:
        postgres_dump.dump(wrong, tmp_path / "d")
    assert "s3cret" not in str(told.value)


def test_missing_programs_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match="there is no pg_dump"):
        postgres_dump.dump("postgresql+psycopg://u@127.0.0.1/d", tmp_path / "d")


@pytest.mark.services
def test_a_restored_database_has_everything_but_its_version(
    new_postgres_database: str, postgres_url: str, tmp_path: Path
) -> None:
    from tests.services.postgres import fresh_database

    settings = Settings(database=Database(url=new_postgres_database))
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    with engine.begin() as connection:
        connection.execute(text("insert into brand (slug, name) values ('acme', 'Acme')"))
    postgres_dump.dump(new_postgres_database, tmp_path / "d")
    engine.dispose()
    with fresh_database(postgres_url) as url:
        postgres_dump.restore(url, tmp_path / "d")
        restored = connect.open_database(Settings(database=Database(url=url)))
        with restored.connect() as connection:
            assert connection.scalar(text("select name from brand")) == "Acme"
        assert schema.current(restored) is None
        with pytest.raises(BackupError, match="already exists"):
            postgres_dump.restore(url, tmp_path / "d")
        restored.dispose()
    assert not list(tmp_path.glob("*.list"))
