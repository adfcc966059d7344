"""A desk whose every text is hostile, and all its pages: both taken from the code itself.

The tables say what text there is, the map of addresses which pages there are, and the pages
which parameters they read. So what is added later is attacked without being named here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Request
from sqlalchemy import Boolean, Column, LargeBinary, String, event, insert, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.schema import Table as SqlTable
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import Rule

from dashboard.accounts import people
from earshot.brand import Brand, TopicText
from earshot.database.tables import DeadLetterRow, ItemRow, Json, ReplyRow, Table, Utc
from earshot.domain import ItemState, ReplyState, Role
from tests.attack.corpus import STORABLE
from tests.builders import NOON
from tests.dashboard import world as desks
from tests.dashboard.seed import add_assignment, add_item, add_reply
from tests.dashboard.world import World, make_world

OURS = frozenset(
    (
        "actor",
        "brand",
        "day",
        "key_id",
        "kind",
        "metric",
        "native_id",
        "op",
        "parent",
        "password_hash",
        "platform",
        "policy_version",
        "roles",
        "sentiment",
        "slug",
        "state",
        "target",
        "then",
        "token_hash",
        "theme",
        "locale",
        "timezone",
        "urgency",
        "intent",
    )
)
"""Columns that hold words of the code, or ids that hang together: what people write is none."""

KEYS = frozenset({"mention_id", "thread", "topic_of_origin"})
"""Ids that other rows refer to: the seed below makes them hostile where they are made."""

ENDLESS = frozenset({"live.stream", "static"})


class Asked(ImmutableMultiDict[str, str]):
    """Parameters that remember which names a view asked for."""

    names: set[str] = set()  # noqa: RUF012 -- shared on purpose: a request makes its own instance

    def __getitem__(self, key: str) -> Any:
        Asked.names.add(key)
        return super().__getitem__(key)

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        Asked.names.add(key)
        return super().get(key, *args, **kwargs)

    def getlist(self, key: str, *args: Any, **kwargs: Any) -> Any:
        Asked.names.add(key)
        return super().getlist(key, *args, **kwargs)

    def __contains__(self, key: object) -> bool:
        Asked.names.add(str(key))
        return super().__contains__(key)


class AskedRequest(Request):
    parameter_storage_class = Asked


def hostile_brand(slug: str, payload: str) -> Brand:
    topics = {payload: TopicText(description=payload, examples=(payload,))}
    return Brand(name=payload, slug=slug, queries={payload: slug}, topics=topics)


def make_hostile(folder: Path, payloads: Sequence[str] = STORABLE, **options: Any) -> World:
    """A world in which Ada may do everything, and everything that is shown is a payload."""
    kept = dict(desks.BRANDS)
    desks.BRANDS.update({slug: hostile_brand(slug, payloads[0]) for slug in kept})
    try:
        world = without_power_cuts(make_world(folder, **options))
    finally:
        desks.BRANDS.update(kept)
    spoil_with(world, payloads)
    world.app.request_class = AskedRequest
    return world


def without_power_cuts(world: World) -> World:
    """The world on a file that is never synced: what is tested is no power cut."""
    engine = world.sessions.kw["bind"]
    event.listen(engine, "connect", lambda raw, _: raw.execute("pragma synchronous=off"))
    engine.dispose()
    return world


def spoil_with(world: World, payloads: Sequence[str]) -> None:
    """Give a world items and let Ada do everything; then make every text of it a payload."""
    now = world.clock()
    with world.sessions.begin() as writing:
        ada = world.people["ada"]
        people.join(writing, "acme", ada, roles=list(Role), teams=["payments"], on_duty=True)
        for number, payload in enumerate(payloads, 1):
            _add(writing, number, payload, ada, now)
        _fill_empty_tables(writing, payloads)
        _spoil(writing, payloads)


def _add(session: Session, number: int, payload: str, ada: int, now: Any) -> None:
    """An item in triage, and for some one more that Ada answers or has answered."""
    state = ItemState.ANSWERING if number % 2 else ItemState.ANSWERED
    held: dict[str, Any] = {"state": state, "assignee_id": ada, "team": "payments"}
    shapes: list[tuple[int, dict[str, Any]]] = [(0, {"state": ItemState.NEW}), (1_000, held)]
    for shift, changes in shapes if number % _HELD == 1 else shapes[:1]:
        place = f"simulator:{number + shift}{payload}"[:900]
        made: dict[str, Any] = {
            "thread": place,
            "mention_id": place,
            "clock_started_at": now - timedelta(minutes=number),
            "text": payload,
            "url": payload,
            **changes,
        }
        item = add_item(session, number + shift, **made)
        if shift:
            sent = ReplyState.FAILED if number % 2 else ReplyState.CONFIRMED
            add_reply(session, item, ada, text=payload, state=sent, mention_id=place)
            if state is ItemState.ANSWERED:
                add_assignment(session, item, ada, state="ended")


def _fill_empty_tables(session: Session, payloads: Sequence[str]) -> None:
    for table in Table.metadata.sorted_tables:
        if session.execute(select(table).limit(1)).first() is None:
            rows = [_row(session, table, n, payload) for n, payload in enumerate(payloads, 1)]
            session.execute(insert(table), rows)


_HELD = 3
_STATES = {"dead_letter": "waiting", "source_health": "failing"}


def _row(session: Session, table: SqlTable, number: int, payload: str) -> dict[str, Any]:
    """A row with a payload wherever the type lets one stand."""
    row = {column.name: _value(column, number, payload) for column in table.columns}
    for column in table.columns:
        for key in column.foreign_keys:
            known = session.scalars(select(key.column).order_by(key.column)).all()
            row[column.name] = known[number % len(known)]
    words = {"brand": "acme", "state": _STATES.get(table.name, "ok"), "topic": "mentions"}
    return row | {name: value for name, value in words.items() if name in row}


def _value(column: Column[Any], number: int, payload: str) -> Any:
    if isinstance(column.type, String):
        mark = str(number) if column.primary_key or column.unique else ""
        room = column.type.length - len(mark) if column.type.length else None
        return payload[:room] + mark
    of_its_type: dict[type, Any] = {
        Utc: NOON,
        Json: {"text": payload, "list": [payload]},
        Boolean: False,
        LargeBinary: payload.encode(),
    }
    fitting = (v for kind, v in of_its_type.items() if isinstance(column.type, kind))
    return next(fitting, number)


def _spoil(session: Session, payloads: Sequence[str]) -> None:
    """Put a payload into each text of each row that is there, one payload a row."""
    for table in Table.metadata.sorted_tables:
        keys = list(table.primary_key.columns)
        texts = [c for c in table.columns if _spoilable(c)]
        rows = session.execute(select(*keys, *texts)).all()
        for number, row in enumerate(rows):
            payload = payloads[number % len(payloads)]
            values = {c: _spoiled(getattr(row, c.name), c, payload) for c in texts}
            if values:
                which = [key == getattr(row, key.name) for key in keys]
                session.execute(update(table).where(*which).values(values))


def _spoilable(column: Column[Any]) -> bool:
    kept = column.primary_key or column.unique or column.foreign_keys
    if kept or column.name in OURS | KEYS or (column.name == "address"):
        return False
    return isinstance(column.type, String | Json)


def _spoiled(value: Any, column: Column[Any], payload: str) -> Any:
    if isinstance(column.type, Json):
        return _inside(value, payload)
    length = column.type.length if isinstance(column.type, String) else None
    return payload[:length]


def _inside(value: Any, payload: str, name: str = "") -> Any:
    """A JSON value whose every text is the payload, but for words of the code."""
    match value:
        case str():
            return value if name in OURS | KEYS else payload
        case list():
            return [_inside(one, payload) for one in value]
        case dict():
            return {key: _inside(one, payload, key) for key, one in value.items()}
        case _:
            return value


# ---------------------------------------------------------------- its pages


def rules(world: World, method: str) -> list[Rule]:
    found = [
        rule
        for rule in world.app.url_map.iter_rules()
        if method in (rule.methods or ()) and rule.endpoint not in ENDLESS
    ]
    return sorted(found, key=lambda rule: rule.rule)


def paths(world: World, rule: Rule, *, every: bool = False) -> Iterator[str]:
    """The addresses of a rule: with the ids of `every` row, or of a few."""
    choices = {
        "item_id": world.read(lambda s: list(s.scalars(select(ItemRow.id)))),
        "reply_id": world.read(lambda s: list(s.scalars(select(ReplyRow.id)))),
        "letter_id": world.read(lambda s: list(s.scalars(select(DeadLetterRow.id)))),
        "key": ["0" * 16],
        "token": ["none"],
    }
    names = sorted(rule.arguments)
    assert set(names) <= set(choices), f"say in paths() what {rule.rule} may be called with"
    if not names:
        yield rule.rule
        return
    (name,) = names
    values = choices[name]
    step = 1 if every else max(1, len(values) // 3)
    for value in values[::step]:
        with world.app.test_request_context():
            yield rule.build({name: value}, append_unknown=False)[1]  # type: ignore[index]  # a built rule is a pair
