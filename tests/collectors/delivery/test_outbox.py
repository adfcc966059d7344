"""What the outbox asks the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from collectors.delivery import outbox
from earshot.database import db
from tests.builders import NOON
from tests.rows import database


def test_what_is_due_is_looked_for_among_what_is_under_way_alone() -> None:
    engine = database()
    asked: list[tuple[str, Any]] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _cursor, text, parameters, _x, _many: asked.append((text, parameters)),
    )
    with db.open_readers(engine).begin() as session:
        outbox.due(session, ["sim"], NOON, 5)
        text, parameters = asked[-1]
        plan = session.connection().exec_driver_sql(f"explain query plan {text}", parameters)
        assert [row[3] for row in plan] == ["SCAN reply USING INDEX ix_reply_outbox"]
    engine.dispose()
