"""The database: there, of our schema, durable, whole, and of one mind with our clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from earshot.database import db, schema
from earshot.database.tables import EventRow
from earshot.items import holding
from operations.checks.finding import Finding, Well, Wrong
from operations.retention import clock_watch

OLDEST_POSTGRES = 150_000
"""The first release that tests run on, as PostgreSQL numbers them: 15.0."""

CLOCKS_DIFFER = timedelta(seconds=2)
"""How far two clocks may be apart: leases, offers and promises are longer than this."""

_ON = "on"


def reachable(engine: Engine) -> Finding:
    """Whether a transaction can be opened."""
    where = make_url(engine.url).render_as_string(hide_password=True)
    try:
        with engine.connect() as connection:
            connection.execute(text("select 1"))
    except DBAPIError as error:
        said = str(db.explain(error, where)).removeprefix(f"database {where}: ")
        what, _, remedy = said.rpartition("; ")
        return Wrong("database", f"{where} does not respond: {what}", remedy)
    return Well("database", f"{where} responds")


def revision(engine: Engine) -> Finding:
    """Whether the schema is one that this version works on."""
    found = schema.current(engine)
    try:
        schema.require(engine)
    except db.DatabaseError as error:
        said, _, remedy = str(error).partition("; ")
        return Wrong("schema", said, remedy)
    return Well("schema", f"revision {found}")


def durable(engine: Engine) -> Finding:
    """Whether what is committed survives a power cut."""
    if engine.dialect.name == "sqlite":
        wanted = {"journal_mode": ("wal",), "synchronous": ("2", "3")}
        found = {name: _ask(engine, f"pragma {name}") for name in wanted}
        remedy = "move home to a local disk: SQLite's write-ahead log does not work on every other"
    else:
        wanted = dict.fromkeys(("fsync", "full_page_writes"), (_ON,))
        wanted["synchronous_commit"] = (_ON, "local", "remote_write", "remote_apply")
        found = {name: _ask(engine, f"show {name}") for name in wanted}
        remedy = "set it to on in postgresql.conf, and for this database and role"
    strange = [f"{name} is {found[name]}" for name in wanted if found[name] not in wanted[name]]
    if strange:
        return Wrong("durability", ", ".join(strange), remedy)
    return Well("durability", ", ".join(f"{name} {value}" for name, value in found.items()))


def sound(engine: Engine, oldest: int = OLDEST_POSTGRES) -> Finding:
    """Whether a SQLite file is whole, or a PostgreSQL server not older than `oldest`."""
    if engine.dialect.name == "sqlite":
        try:
            said = _ask(engine, "pragma quick_check(1)")
        except DBAPIError as error:
            said = str(error.orig)
        if said != "ok":
            return Wrong(
                "database file",
                f"it is damaged: {said}",
                "stop all roles, and restore the last backup",
            )
        return Well("database file", "quick_check finds nothing wrong")
    number, name = int(_ask(engine, "show server_version_num")), _ask(engine, "show server_version")
    if number < oldest:
        return Wrong(
            "server", f"PostgreSQL {name}", f"upgrade it to {oldest // 10_000} or a newer release"
        )
    return Well("server", f"PostgreSQL {name}")


def held(engine: Engine) -> Finding:
    """Whether items and the assignments that say who holds them agree."""
    with db.open_readers(engine).begin() as session:
        wrong = holding.disagreements(session)
    if wrong:
        return Wrong(
            "held items",
            f"{wrong} have no assignee, or an assignment but no holder",
            "run sweep: it returns them to the queue",
        )
    return Well("held items", "each has one assignee")


def clock(engine: Engine, now: Callable[[], datetime]) -> Finding:
    """Whether our clock agrees with the database's, and with the times that it holds."""
    before = now()
    with db.open_readers(engine).begin() as session:
        newest = session.scalar(select(EventRow.at).order_by(EventRow.seq.desc()).limit(1))
        theirs: datetime | None = None
        if engine.dialect.name == "postgresql":
            theirs = session.scalar(text("select clock_timestamp()"))
    ours = before + (now() - before) / 2
    if theirs is not None and abs(theirs - ours) > CLOCKS_DIFFER:
        return Wrong(
            "clock",
            f"this machine's is {_apart(ours - theirs)} the database's",
            "set both with NTP (systemd-timesyncd, chrony)",
        )
    if newest is not None and newest - ours > CLOCKS_DIFFER:
        return Wrong(
            "clock",
            f"this machine's is {_apart(ours - newest)} the newest event",
            "set it with NTP; it was set back, or the event's writer was ahead",
        )
    return Well("clock", f"{ours:%Y-%m-%d %H:%M:%S} UTC")


def _apart(ahead: timedelta) -> str:
    seconds = ahead.total_seconds()
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'}"


def _ask(engine: Engine, question: str) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(text(question)))


def purging(engine: Engine) -> Finding:
    """Whether anything past its retention is held back for a clock that is not believed."""
    with db.open_readers(engine).begin() as session:
        seen = clock_watch.read(session)
    if seen.held_at is None:
        return Well("purge", "not paused")
    return Wrong(
        "purge",
        f"paused since {seen.held_at:%Y-%m-%d %H:%M} UTC: {seen.reason}",
        clock_watch.REMEDY,
    )
