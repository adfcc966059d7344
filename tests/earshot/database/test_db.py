"""The database seam: one behaviour on SQLite and PostgreSQL, and its errors in words."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event, func, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.db import DatabaseError, connect, explain, insert_new, upsert
from earshot.database.tables import CursorRow, EventRow, Json, MentionRow, Table, VolumeRow
from tests.builders import NOON
from tests.rows import a_mention_row, database


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = database(database_url)
    yield made
    made.dispose()


def cursor_row(part: str = "p", **changes: Any) -> dict[str, Any]:
    return {"brand": "acme", "source": "s", "part": part, "cursor": {}, "saved_at": NOON} | changes


def volume(hour: int, n: int) -> dict[str, Any]:
    return {
        "brand": "acme",
        "hour": hour,
        "source": "s",
        "topic": "",
        "sentiment": "neutral",
        "n": n,
    }


KEY = ("brand", "source", "part")
VOLUME_KEY = ("brand", "hour", "source", "topic", "sentiment")


# ---------------------------------------------------------------- writing


def test_only_new_rows_are_inserted_and_counted(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        assert insert_new(session, CursorRow, []) == 0
        assert insert_new(session, CursorRow, [cursor_row("a", cursor={"v": 1})]) == 1
        rows = [cursor_row(part, cursor={"v": 2}) for part in "abc"]
        assert insert_new(session, CursorRow, rows) == 2
        assert insert_new(session, CursorRow, rows) == 0
        kept = session.scalar(select(CursorRow.cursor).where(CursorRow.part == "a"))
        assert kept == {"v": 1}


def test_a_conflict_replaces_the_named_columns_only(engine: Engine) -> None:
    later = NOON + timedelta(days=1)
    with db.open_sessions(engine).begin() as session:
        upsert(session, CursorRow, [cursor_row(cursor={"v": 1})], key=KEY, replace=("cursor",))
        new = [cursor_row(cursor={"v": 2}, saved_at=later), cursor_row("q", saved_at=later)]
        upsert(session, CursorRow, new, key=KEY, replace=("cursor",))
        rows = session.execute(select(CursorRow.cursor, CursorRow.saved_at))
        assert sorted((str(row.cursor), row.saved_at) for row in rows) == [
            ("{'v': 2}", NOON),
            ("{}", later),
        ]


@given(added=st.lists(st.dictionaries(st.integers(0, 5), st.integers(-9, 9)), max_size=4))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_add_up_however_many_are_added_at_once(
    engine: Engine, added: list[dict[int, int]]
) -> None:
    with db.open_sessions(engine).begin() as session:
        session.execute(delete(VolumeRow))
        for counts in added:
            rows = [volume(hour, n) for hour, n in counts.items()]
            assert upsert(session, VolumeRow, rows, key=VOLUME_KEY, add=("n",)) == len(rows)
        stored = {row.hour: row.n for row in session.execute(select(VolumeRow.hour, VolumeRow.n))}
    assert stored == {
        hour: sum(counts.get(hour, 0) for counts in added) for counts in added for hour in counts
    }


def test_a_conflict_adds_up(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as session:
        for rows in ([volume(1, 2)], [volume(1, 3), volume(2, 1)], [volume(1, -1)]):
            upsert(session, VolumeRow, rows, key=VOLUME_KEY, add=("n",))
        found = session.execute(select(VolumeRow.hour, VolumeRow.n).order_by(VolumeRow.hour))
        assert [tuple(row) for row in found] == [(1, 4), (2, 1)]


def test_only_a_newer_row_replaces(engine: Engine) -> None:
    table = MentionRow.__table__
    row = {c.name: getattr(a_mention_row(), c.name) for c in table.columns}
    with db.open_sessions(engine).begin() as session:
        for revision, said, written in ((5, "a", 1), (4, "b", 0), (5, "c", 0), (6, "d", 1)):
            new = row | {"revision": revision, "text": said}
            settled = upsert(
                session,
                MentionRow,
                [new],
                key=("brand", "id"),
                replace=("text", "revision"),
                newer="revision",
            )
            assert settled == written
        assert session.scalar(select(MentionRow.text)) == "d"


def test_what_a_transaction_wrote_is_gone_when_it_fails(engine: Engine) -> None:
    def work() -> None:
        with db.open_sessions(engine).begin() as session:
            insert_new(session, CursorRow, [cursor_row()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    with db.open_sessions(engine).begin() as session:
        assert session.scalar(select(func.count()).select_from(CursorRow)) == 0


def test_a_reader_never_waits_for_a_writer(engine: Engine) -> None:
    with db.open_sessions(engine).begin() as writer:
        insert_new(writer, CursorRow, [cursor_row()])
        with db.open_readers(engine).begin() as reader:
            assert reader.scalar(select(func.count()).select_from(CursorRow)) == 0


# ---------------------------------------------------------------- looking up


def test_rows_are_looked_up_by_any_number_of_values(engine: Engine) -> None:
    odd = ["simulator:\t'\"\\{}", "simulator:é😀", ""]
    stored = [*odd, *(f"simulator:{n}" for n in range(300))]
    with db.open_sessions(engine).begin() as session:
        session.add_all([a_mention_row(id=key, item_id=n) for n, key in enumerate(stored)])
        session.add(a_mention_row(id="simulator:1", item_id=1, brand="other"))
        session.flush()

        def found(wanted: list[str]) -> list[tuple[str, int]]:
            columns = (MentionRow.id, MentionRow.item_id)
            rows = db.look_up(
                session, columns, by=MentionRow.id, values=wanted, within=MentionRow.brand == "acme"
            )
            return sorted((row.id, row.item_id) for row in rows)

        assert found([]) == []
        assert found(["nobody:1"]) == []
        assert found([*odd, "simulator:298", "nobody:1"]) == sorted(
            [(key, n) for n, key in enumerate(odd)] + [("simulator:298", 301)]
        )
        assert found(stored) == sorted((key, n) for n, key in enumerate(stored))


def test_each_value_is_sought_in_the_index_of_a_table_that_was_never_analyzed(
    engine: Engine,
) -> None:
    asked: list[str] = []
    with db.open_sessions(engine).begin() as session:
        session.add_all([a_mention_row(id=f"simulator:{n}", item_id=n) for n in range(3_000)])
        session.flush()
        event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        wanted = [f"simulator:{n}" for n in range(0, 3_000, 2)]
        db.look_up(
            session,
            (MentionRow.item_id,),
            by=MentionRow.id,
            values=wanted,
            within=MentionRow.brand == "acme",
        )
        plan = _plan(session, asked[-1], wanted)
    assert "mention" in plan
    assert "Seq Scan on mention" not in plan
    assert "SCAN mention" not in plan


def _plan(session: Session, statement: str, wanted: list[str]) -> str:
    """How the database carries out `statement`, in its words."""
    connection, values = session.connection(), json.dumps(wanted)
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"explain query plan {statement}", ("acme", values))
    else:
        names = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))
        given = {"brand": "acme", "param": values}
        parameters = {name: given.get(name.rpartition("_")[0], 0) for name in names}
        parameters |= {name: 0 for name in names if name == "param_2"}
        rows = connection.exec_driver_sql(f"explain {statement}", parameters)
    return "\n".join(str(row) for row in rows)


# ---------------------------------------------------------------- times and JSON


def test_a_time_comes_back_to_the_microsecond_in_utc(engine: Engine) -> None:
    written = datetime(2026, 3, 2, 14, 0, 0, 123_456, timezone(timedelta(hours=2)))
    with db.open_sessions(engine).begin() as session:
        insert_new(session, CursorRow, [cursor_row(saved_at=written)])
        read = session.scalars(select(CursorRow.saved_at)).one()
        assert read == written
        assert read.tzinfo is UTC
        between = (CursorRow.saved_at > written - timedelta(microseconds=1)) & (
            CursorRow.saved_at < written + timedelta(microseconds=1)
        )
        assert session.scalar(select(func.count()).where(between)) == 1


def test_a_naive_time_is_refused(engine: Engine) -> None:
    naive = NOON.replace(tzinfo=None)
    with (
        pytest.raises(StatementError, match="a naive time can't be stored: 2026-03-02T12:00:00"),
        db.open_sessions(engine).begin() as session,
    ):
        insert_new(session, CursorRow, [cursor_row(saved_at=naive)])


@pytest.mark.parametrize(
    "value", [{}, {"a": [1, None, "é 😡 \" '"], "b": {"c": 2**53}}, {"t": 1.5, "u": True}, None]
)
def test_json_comes_back_as_it_was(engine: Engine, value: Any) -> None:
    row = {"brand": "a", "at": NOON, "actor": "t", "kind": "k", "subject": "", "why": value}
    with db.open_sessions(engine).begin() as session:
        session.execute(insert(EventRow), [row | {"before": None, "after": None}])
        assert session.scalars(select(EventRow.why)).one() == value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_json_value_survives_its_column(value: Any) -> None:
    column, dialect = Json(), connect("sqlite://").dialect
    bound = column.bind_processor(dialect)(value)
    assert column.process_result_value(bound, dialect) == value


# ---------------------------------------------------------------- errors in words


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "database.url is not a database URL"),
        ("", "database.url is not a database URL"),
        ("postgresql://h:port/x", "database.url is not a database URL"),
        ("mysql://u:s3cret@h/x", "database.url names 'mysql'; Earshot runs on sqlite and"),
        ("postgresql+asyncpg://u:s3cret@h/x", "database.url names 'postgresql+asyncpg'"),
    ],
)
def test_a_url_that_cannot_be_used_says_so(url: str, said: str) -> None:
    with pytest.raises(DatabaseError) as complaint:
        connect(url)
    assert said in str(complaint.value)
    assert "s3cret" not in str(complaint.value)


def words_of(url: str, *statements: str) -> str:
    """What is said about the error that `statements` end in."""
    engine = connect(url)
    try:
        with engine.begin() as connection:
            for statement in statements or ("select 1",):
                connection.execute(text(statement))
    except DBAPIError as error:
        return str(explain(error, url))
    finally:
        engine.dispose()
    raise AssertionError(f"{url} took {statements}")


def closed_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_an_unreachable_server_is_named_without_its_password() -> None:
    port = closed_port()
    said = words_of(f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/d")
    assert f"127.0.0.1:{port}/d" in said
    assert "Connection refused" in said
    assert "check that the server runs" in said
    assert "s3cret" not in said
    assert "\n" not in said


def test_a_missing_table_says_how_to_make_it(database_url: str) -> None:
    said = words_of(database_url, "select * from item")
    assert said.endswith("run `earshot db upgrade`")


def test_a_missing_column_says_how_to_make_it(database_url: str) -> None:
    said = words_of(database_url, "create table t (a int)", "select b from t")
    assert said.endswith("run `earshot db upgrade`")


@pytest.mark.services
def test_a_missing_database_and_a_missing_user_are_told_apart(postgres_url: str) -> None:
    url = make_url(postgres_url)
    said = words_of(url.set(database="nowhere").render_as_string(hide_password=False))
    assert said.endswith("create the database, then run `earshot db upgrade`")
    said = words_of(url.set(username="nobody").render_as_string(hide_password=False))
    assert said.endswith("correct the user in database.url, or create it")


def test_a_wrong_password_is_told() -> None:
    # servers of tests trust everybody, so that the driver's words stand in for one that doesn't
    refused = psycopg.OperationalError('FATAL:  password authentication failed for user "u"')
    error = DBAPIError.instance("select 1", None, refused, psycopg.Error)
    assert isinstance(error, DBAPIError)
    said = str(explain(error, "postgresql+psycopg://u:s3cret@h/d"))
    assert said == (
        "database postgresql+psycopg://u:***@h/d: FATAL:  password authentication failed for user "
        '"u"; correct user and password in database.url'
    )


def test_an_error_without_words_is_named() -> None:
    error = DBAPIError.instance("select 1", None, psycopg.OperationalError(""), psycopg.Error)
    assert isinstance(error, DBAPIError)
    assert "OperationalError; check that the server runs" in str(explain(error, "sqlite://"))


def test_a_locked_file_says_that_another_process_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'e.db'}"
    holder = connect(url)
    monkeypatch.setattr(db, "BUSY_S", 0.05)
    with holder.begin() as connection:
        connection.execute(text("create table t (a int)"))
        said = words_of(url)
    holder.dispose()
    assert said.endswith("another process holds the database; stop it if it hangs")


def test_a_full_disk_says_that_nothing_was_lost(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'e.db'}"
    said = words_of(
        url,
        "create table t (a)",
        "pragma max_page_count = 3",
        "insert into t values (zeroblob(100000))",
    )
    assert "is full; free space on its disk; nothing was lost" in said


def test_after_a_full_disk_the_same_connection_goes_on(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'e.db'}")
    Table.metadata.create_all(engine)
    sessions = db.open_sessions(engine)
    with sessions.begin() as session:
        session.execute(text("pragma max_page_count = 1"))  # what is there now is all there is
    rows = [cursor_row(str(n), cursor={"x": "y" * 5_000}) for n in range(50)]
    with pytest.raises(DBAPIError), sessions.begin() as session:
        insert_new(session, CursorRow, rows)
    with sessions.begin() as session:
        session.execute(text("pragma max_page_count = 100000"))
        assert insert_new(session, CursorRow, [cursor_row()]) == 1
        assert session.scalar(select(func.count()).select_from(CursorRow)) == 1
    engine.dispose()


def test_a_missing_folder_says_what_to_check(tmp_path: Path) -> None:
    said = words_of(f"sqlite:///{tmp_path}/none/e.db")
    assert said.endswith("check that the folder exists and may be written")


def test_a_database_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    said = words_of(
        f"sqlite:///{tmp_path / 'e.db'}", "pragma query_only = on", "create table t (a int)"
    )
    assert said.endswith("give the process the right to write there")


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "e.db").write_bytes(b"SQLite format 3\x00" + b"\xff" * 8_192)
    said = words_of(f"sqlite:///{tmp_path / 'e.db'}", "select * from sqlite_master")
    assert "file is not a database; another file, or a damaged one" in said
