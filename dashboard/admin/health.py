"""How the sources fare, and how far the stages lag behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Blueprint, current_app, render_template
from sqlalchemy import select
from sqlalchemy.orm import Session

from dashboard.accounts.permissions import Permission, needs
from dashboard.frame.app_context import app_context, viewer
from dashboard.frame.i18n import gettext as _
from dashboard.frame.i18n import lazy
from earshot.database.tables import EventRow, SourceHealthRow
from earshot.items.events import EventKind

pages = Blueprint("health", __name__)

GAPS = 20
"""How many gaps are shown, the newest first."""

CLOCKS_DIFFER = timedelta(seconds=10)
"""How far ahead of ours the clock of a collector may be."""

_SEARCHED = 200_000
"""How many events back gaps are looked for: the table has no index on their kind."""

STATES: Mapping[str, str] = {
    "ok": lazy("Working"),
    "delayed": lazy("Delayed"),
    "failing": lazy("Failing"),
    "stopped": lazy("Stopped"),
}

Lag = Callable[[], Mapping[str, int]]
"""How many records wait, by topic and stage; the process that serves may know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    source: str
    platform: str
    state: str
    error: str
    failing_since: datetime | None
    polled_at: datetime | None
    last_post_at: datetime | None
    next_poll_at: datetime | None
    collected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GapLine:
    """A stretch of time in which a source may have lost posts."""

    source: str
    noticed_at: datetime
    part: str
    since: str
    until: str
    reason: str


@pages.get("/admin/health")
@needs(Permission.SEE_HEALTH)
def health() -> str:
    with app_context().readers.begin() as reading:
        found = sources(reading, viewer().brand, app_context().clock())
        lost = gaps(reading, viewer().brand)
    lag = cast("Lag | None", current_app.extensions.get("earshot_lag"))
    return render_template(
        "health.html", sources=found, gaps=lost, lag=lag() if lag else {}, states=STATES
    )


def sources(session: Session, brand: str, now: datetime) -> list[SourceLine]:
    """Every source of the brand, those in trouble first.

    One that was polled in the future is in trouble, too: since the clock was set back it has
    not been polled.
    """
    names = tuple(SourceLine.__dataclass_fields__)
    rows = session.execute(
        select(*(getattr(SourceHealthRow, name) for name in names)).where(
            SourceHealthRow.brand == brand
        )
    )
    found = [
        _doubted(SourceLine(**dict(zip(names, row, strict=True))), now + CLOCKS_DIFFER)
        for row in rows
    ]
    return sorted(found, key=lambda line: (line.state == "ok", line.source))


def _doubted(line: SourceLine, latest: datetime) -> SourceLine:
    if line.state != "ok" or line.polled_at is None or line.polled_at <= latest:
        return line
    return replace(
        line,
        state="failing",
        error=_(
            "The last poll is in the future: the clock was set back. Is the collector running?"
        ),
    )


def gaps(session: Session, brand: str) -> list[GapLine]:
    """The newest gaps that collectors of the brand have noted."""
    newest = session.scalar(select(EventRow.seq).order_by(EventRow.seq.desc()).limit(1)) or 0
    rows = session.execute(
        select(EventRow.subject, EventRow.at, EventRow.after, EventRow.why)
        .where(
            EventRow.seq > newest - _SEARCHED,
            EventRow.brand == brand,
            EventRow.kind == EventKind.SOURCE_GAP,
        )
        .order_by(EventRow.seq.desc())
        .limit(GAPS)
    )
    return [_gap(row) for row in rows]


def _gap(row: Any) -> GapLine:
    after, why = row.after or {}, row.why or {}
    return GapLine(
        source=row.subject,
        noticed_at=row.at,
        part=str(after.get("part") or ""),
        since=str(after.get("since") or ""),
        until=str(after.get("until") or ""),
        reason=str(why.get("reason") or ""),
    )
