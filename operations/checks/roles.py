"""Whether the roles are at work, told by what they leave behind and by their own probes."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from earshot.database.tables import ReplyRow, SourceHealthRow
from earshot.domain import ReplyState
from earshot.runtime.role import ROLES
from operations import maintain
from operations.checks.finding import Finding, Well, Wrong

LATE = timedelta(minutes=2)
"""How long after its time a poll or a reply is late."""

AHEAD = timedelta(seconds=10)
"""How far ahead of the clock a poll may seem: clocks of two machines differ."""

UNMAINTAINED = timedelta(minutes=5)
"""How long after its last note maintenance is missing; it is noted once a minute."""

NEEDED = ("collect", "classify", "route", "sweep", "send", "maintain")
"""The roles without which something stands still."""

_DUE = (ReplyState.QUEUED, ReplyState.SENDING, ReplyState.SENT, ReplyState.UNKNOWN)
_WAIT_S = 2.0


def sources(session: Session, names: Sequence[str], now: datetime) -> Iterator[Finding]:
    """Of each configured source, whether it is polled, and whether the platform answers."""
    rows = {
        row.source: row
        for row in session.scalars(select(SourceHealthRow).where(SourceHealthRow.source.in_(names)))
    }
    for name in names:
        subject, row = f"source {name}", rows.get(name)
        if row is None:
            yield Wrong(subject, "it has never been polled", f"start `earshot collect {name}`")
        elif row.state != "ok":
            since = f" since {row.failing_since:%Y-%m-%d %H:%M} UTC" if row.failing_since else ""
            yield Wrong(
                subject, f"{row.state}{since}: {row.error}", "fix that; it tries again by itself"
            )
        elif row.polled_at is not None and row.polled_at - now > AHEAD:
            yield Wrong(
                subject,
                f"it was polled at {row.polled_at:%Y-%m-%d %H:%M} UTC, and it is"
                f" {now:%Y-%m-%d %H:%M} UTC now: the clock was set back",
                f"check that the clock is right, and that `earshot collect {name}` runs",
            )
        elif row.next_poll_at is None or now - row.next_poll_at > LATE:
            at = f"{row.polled_at:%Y-%m-%d %H:%M} UTC" if row.polled_at else "an unknown time"
            yield Wrong(
                subject,
                f"the last poll was at {at}",
                f"check that `earshot collect {name}` runs, and read its log",
            )
        else:
            yield Well(subject, f"it was polled at {row.polled_at:%H:%M:%S} UTC")


def outbox(session: Session, now: datetime) -> Finding:
    """Whether the replies that are due are taken up."""
    lapsed = or_(ReplyRow.lease_until.is_(None), ReplyRow.lease_until < now)
    late, oldest = session.execute(
        select(func.count(), func.min(ReplyRow.not_before)).where(
            ReplyRow.state.in_(_DUE), lapsed, ReplyRow.not_before < now - LATE
        )
    ).one()
    if late:
        return Wrong(
            "outbox",
            f"{late} replies are due but not being sent, the oldest since"
            f" {oldest:%Y-%m-%d %H:%M} UTC",
            "check that `earshot send` runs, and read its log",
        )
    return Well("outbox", "every reply that is due is being sent")


def maintenance(session: Session, now: datetime) -> Finding:
    """Whether somebody maintains: without it nothing is lost, but nothing is cleared away."""
    done_at = maintain.last_done(session)
    if done_at is not None and now - done_at <= UNMAINTAINED:
        return Well("maintenance", f"it was last done at {done_at:%H:%M} UTC")
    last = f"it was last done at {done_at:%Y-%m-%d %H:%M} UTC" if done_at else "it was never done"
    return Wrong(
        "maintenance",
        f"{last}: no dead letter is shown or retried, nothing is purged, and the log grows",
        "start `earshot maintain`; it goes on where it was",
    )


def probes(host: str, port: int, needed: Collection[str]) -> Finding:
    """Which roles answer on this machine, of whose health ports `port` is the first.

    Those of `needed` must.
    """
    if not port:
        return Well("roles", "telemetry.port is 0: where the roles answer is not known")
    found = {role: _probe(host, port + number) for number, role in enumerate(ROLES)}
    stuck = [role for role in ROLES if found[role] == "stuck"]
    if stuck:
        return Wrong(
            "roles",
            f"{', '.join(stuck)} finished nothing for two minutes",
            "see what it waits for in its log, and start it again",
        )
    gone = [role for role in needed if found[role] == "gone"]
    if gone:
        return Wrong(
            "roles",
            f"{', '.join(gone)} does not answer on {host}",
            "start `earshot up`, or each by its name",
        )
    answering = [role for role in ROLES if found[role] == "alive"]
    return Well("roles", f"on this machine run {', '.join(answering) or 'none'}")


def _probe(host: str, port: int) -> str:
    """`alive`, `stuck` or `gone`."""
    there = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 -- compared, not bound
    try:
        with urllib.request.urlopen(f"http://{there}:{port}/healthz", timeout=_WAIT_S):
            return "alive"
    except urllib.error.HTTPError as error:
        error.close()
        return "stuck"
    except (OSError, http.client.HTTPException):
        return "gone"
