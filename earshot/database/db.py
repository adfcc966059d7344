"""The database: engine, sessions, and the few things SQLite and PostgreSQL do differently.

A shell opens one transaction per batch or request with `sessions.begin()`; functions that
take a `Session` never commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Engine,
    Integer,
    Result,
    String,
    Update,
    any_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    make_url,
    select,
    true,
    update,
)
from sqlalchemy import column as sql_column
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from earshot.database import folding
from earshot.database.tables import Table

Sessions = sessionmaker[Session]

BUSY_S = 30
"""How long SQLite waits for another writer, in seconds."""


_GONE_SERVER = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""libpq's: a server whose machine vanished is noticed in half a minute, not in two hours."""


class DatabaseError(Exception):
    """The database could not be used; the message says what, where and what to do."""


def connect(url: str, *, pool_size: int = 4) -> Engine:
    """An engine for `url` (`sqlite:///path` or `postgresql+psycopg://…`).

    Raises DatabaseError for a URL that can't be used.
    """
    try:
        parsed = make_url(url)
    except Exception:  # noqa: BLE001 -- SQLAlchemy lets through whatever its parts raise
        raise DatabaseError(
            "database.url is not a database URL: "  # what it says may hold a part of the password
            "write sqlite:////path/earshot.db or postgresql+psycopg://user@host/name, and "
            "characters such as : / @ in a password as %3A %2F %40"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=16,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 5, **_GONE_SERVER},
        )
    raise DatabaseError(
        f"database.url names {parsed.drivername!r}; Earshot runs on sqlite and postgresql"
    )


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        # The driver must not begin by itself: a transaction that reads first and writes
        # later fails with "locked" at once, whatever the busy timeout says.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=wal",
            "synchronous=full",
            "foreign_keys=on",
            "cache_size=-32000",
            "mmap_size=268435456",
            "temp_store=memory",
            "secure_delete=on",  # what is purged is overwritten, not only forgotten
            "journal_size_limit=67108864",
        ):
            cursor.execute(f"pragma {pragma}")
        cursor.close()
        folding.install(connection)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "immediate")
        connection.exec_driver_sql(f"begin {mode}")

    return engine


def open_sessions(engine: Engine) -> Sessions:
    """Sessions for reading and writing: each transaction takes SQLite's write lock at once."""
    return sessionmaker(engine, expire_on_commit=False)


def open_readers(engine: Engine) -> Sessions:
    """Sessions for reading only: on SQLite they never wait for a writer, nor hold one up."""
    readers = engine
    if engine.dialect.name == "sqlite":
        readers = engine.execution_options(sqlite_begin="deferred")
    return sessionmaker(readers, expire_on_commit=False)


@lru_cache(maxsize=8)
def readers_of(sessions: Sessions) -> Sessions:
    """Sessions for reading only, on the database that `sessions` write to."""
    return open_readers(sessions.kw["bind"])


def insert_into(session: Session, table: type[Table]) -> postgresql.Insert | sqlite.Insert:
    """An insert that can say what happens on a conflict, as the session's database spells it."""
    return postgresql.insert(table) if _is_postgres(session) else sqlite.insert(table)


def insert_new(session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose key is not there yet; how many that were."""
    return upsert(session, table, rows)


def upsert(
    session: Session,
    table: type[Table],
    rows: Sequence[Mapping[str, Any]],
    *,
    key: Sequence[str] = (),
    replace: Sequence[str] = (),
    add: Sequence[str] = (),
    newer: str = "",
) -> int:
    """Insert rows, or settle with the row that is at the same `key`; how many were written.

    On a conflict, columns of `replace` are overwritten and columns of `add` are added up;
    with `newer` only where the new row's column of that name is greater. Without `replace`
    and `add` a conflict leaves the row as it is. `rows` must not repeat a key, and each
    must have the same columns.
    """
    if not rows:
        return 0
    together = len(rows) > 1 and _is_postgres(session) and _json_holds(table)
    statement = _insert_of_json(table, rows) if together else insert_into(session, table)
    if not replace and not add:
        statement = statement.on_conflict_do_nothing()
    else:
        standing, new = table.__table__.c, statement.excluded
        statement = statement.on_conflict_do_update(
            index_elements=list(key),
            set_={name: new[name] for name in replace}
            | {name: standing[name] + new[name] for name in add},
            where=(new[newer] > standing[newer]) if newer else None,
        )
    # Without this PostgreSQL answers 0 to every insert of a list.
    statement = statement.execution_options(preserve_rowcount=True)
    result = session.connection().execute(statement, None if together else list(rows))
    return max(0, result.rowcount)


def add_counts(
    session: Session,
    counts: Iterable[tuple[type[Table], Sequence[str], Mapping[tuple[Any, ...], int]]],
) -> None:
    """Add to each table's column `n` what is counted for its key, in an order for all writers."""
    for table, key, added in counts:
        changed = sorted((values, n) for values, n in added.items() if n)
        rows = [dict(zip(key, values, strict=True)) | {"n": n} for values, n in changed]
        upsert(session, table, rows, key=key, add=("n",))


@lru_cache(maxsize=128)
def _json_holds(table: type[Table]) -> bool:
    """Whether JSON holds each value of a row just as it is, as it does those of counts."""
    kinds = {type(column.type) for column in table.__table__.columns}
    return kinds <= {String, Integer, BigInteger, Boolean}


def _insert_of_json(table: type[Table], rows: Sequence[Mapping[str, Any]]) -> postgresql.Insert:
    """An insert of rows that are one parameter: each one's own costs more than its work."""
    names = list(rows[0])
    given = func.json_to_recordset(literal(list(map(dict, rows)), JSON)).table_valued(
        *(sql_column(name, table.__table__.c[name].type) for name in names)
    )
    each = given.render_derived(with_types=True)
    return postgresql.insert(table).from_select(names, select(*(each.c[name] for name in names)))


def among(session: Session, column: Any, values: Iterable[Any]) -> ColumnElement[bool]:
    """Whether `column` is one of `values`, sent as one parameter however many there are.

    A parameter for each of a thousand values costs more than the database takes to find them.
    """
    if _is_postgres(session):
        return column == any_(literal(list(values), postgresql.ARRAY(column.type)))  # type: ignore[no-any-return]  # of an untyped column
    each = func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
    return column.in_(select(each.c.value))  # type: ignore[no-any-return]  # of an untyped column


def look_up(
    session: Session,
    columns: Sequence[Any],
    *,
    by: Any,
    values: Iterable[Any],
    within: ColumnElement[bool],
) -> Result[Any]:
    """`columns` of the rows `within` which `by` is one of `values`, of which none repeats.

    For an index over what `within` compares and `by`: each value is sought in it, whatever
    PostgreSQL believes. Its estimates of a table that grows fast are as old as its last ANALYZE,
    and by those it would rather read the whole table for a thousand values.
    """
    if not _is_postgres(session):
        return session.execute(select(*columns).where(within, among(session, by, values)))
    # The driver would take longer to write an array than all the rest takes.
    given = func.json_array_elements_text(literal(list(values), JSON))
    wanted = given.table_valued("value").render_derived()
    # OFFSET 0 keeps the planner from turning the look-up into a join of its own choice.
    sought = cast(wanted.c.value, by.type)
    one = select(*columns).where(within, by == sought).offset(0).lateral()
    return session.execute(select(one).select_from(wanted.join(one, true())))


def update_rows(
    session: Session, table: type[Table], rows: Sequence[Mapping[str, Any]], *, key: Sequence[str]
) -> int:
    """Overwrite what is at each row's `key` with its other columns; how many there were.

    `key` may be more than the table's own: a version that must not have changed. A column that
    is both looked for and overwritten is in the row twice, the old value as `was_<name>`.
    `rows` must have the same columns.
    """
    if not rows:
        return 0
    names = tuple(name for name in rows[0] if name not in key)
    statement = _update_of(table, tuple(key), names)
    marked = [{f"p_{name}": value for name, value in row.items()} for row in rows]
    return session.connection().execute(statement, marked).rowcount


@lru_cache(maxsize=128)
def _update_of(table: type[Table], key: tuple[str, ...], names: tuple[str, ...]) -> Update:
    columns = table.__table__.c
    same = [columns[name.removeprefix("was_")] == bindparam(f"p_{name}") for name in key]
    # SQLAlchemy keeps the plain names of columns for itself.
    return update(table).where(*same).values({name: bindparam(f"p_{name}") for name in names})


def _is_postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def explain(error: DBAPIError, url: str) -> DatabaseError:
    """A driver's error in words: what happened, at which database, and what to do."""
    where = make_url(url).render_as_string(hide_password=True)
    lines = str(error.orig).strip().splitlines() if error.orig else []
    said = lines[0] if lines else type(error.orig or error).__name__
    remedy = "see the message of the database"
    if isinstance(error, OperationalError):
        remedy = "check that the server runs and that database.url is right"
    for sign, advice in _REMEDIES.items():
        if re.search(sign, said, re.IGNORECASE):
            remedy = advice
            break
    return DatabaseError(f"database {where}: {said}; {remedy}")


def in_the_way(error: DBAPIError) -> bool:
    """Whether another transaction was in the way of this one: it may be tried again.

    PostgreSQL gives one of two up that wait for each other, and one that can't be serialized.
    """
    return getattr(error.orig, "sqlstate", "") in ("40001", "40P01")


_REMEDIES = {
    "disk is full": "free space on its disk; nothing was lost, the work is taken up again",
    "no space left": "free space on its disk; nothing was lost, the work is taken up again",
    "locked": "another process holds the database; stop it if it hangs",
    "unable to open": "check that the folder exists and may be written",
    "readonly": "give the process the right to write there",
    "malformed": "the file is damaged; restore the last backup",
    "not a database": "another file, or a damaged one; correct database.url or restore the backup",
    "no such table": "run `earshot db upgrade`",
    "no such column": "run `earshot db upgrade`",
    "(relation|column) .* does not exist": "run `earshot db upgrade`",
    'role "[^"]*" does not exist': "correct the user in database.url, or create it",
    "no password supplied": "write the password into database.url",
    "does not exist": "create the database, then run `earshot db upgrade`",
    "password authentication": "correct user and password in database.url",
}
