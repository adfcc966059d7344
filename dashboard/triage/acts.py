"""What a listener does in triage: one verdict on some items, and taking it back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta
from sqlalchemy.orm import Session

from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.inputs import BadInput, Input, ItemVersion, column_number
from dashboard.thread.conflicts import Conflict, conflict_in
from dashboard.triage import assignees, verdicts
from dashboard.triage.snooze import NoSuchTime, until
from dashboard.triage.verdicts import Done, NotAMember, NotUs, Snooze, ToPerson, ToTeam, Verdict
from earshot.items.lifecycle import Forbidden, Stale

Items = Annotated[tuple[ItemVersion, ...], Meta(min_length=1, max_length=200)]


class Decide(Input, frozen=True, kw_only=True):
    """One verdict on some items. `target` is `team:NAME`, `person:ID` or `person:me`."""

    item: Items
    action: Literal["done", "not_us", "snooze", "assign"]
    until: str = ""
    on: str = ""
    target: str = ""


class Undo(Input, frozen=True, kw_only=True):
    """Items, each at the version that one's own last verdict made."""

    item: Items


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of each item: `done` has its new version."""

    done: tuple[tuple[int, int], ...]
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed, and why."""

    message: str


def decide(
    app: AppContext, who: Viewer, given: Decide, now: datetime, *, client: str
) -> Decided | Refused:
    """Carry out the verdict, on each item by itself: a conflict stops only that item.

    `client` names the browser tab that acts. Raises BadInput for a target that does not exist.
    """
    try:
        verdict = _verdict(app, who, given, now)

        def one(session: Session, item: ItemVersion) -> int:
            return verdicts.decide(
                session, who, item.item_id, item.version, verdict, now, client=client
            )

        return _each(app, who, given.item, one)
    except (NoSuchTime, NotAMember) as error:
        return Refused(str(error))


def undo(app: AppContext, who: Viewer, given: Undo, now: datetime, *, client: str) -> Decided:
    """Take back one's own last verdicts, each by itself."""

    def one(session: Session, item: ItemVersion) -> int:
        return verdicts.undo(session, who, item.item_id, item.version, now, client=client)

    return _each(app, who, given.item, one)


def _each(
    app: AppContext,
    who: Viewer,
    items: Iterable[ItemVersion],
    act: Callable[[Session, ItemVersion], int],
) -> Decided:
    """In the order of their ids, so that two who act on the same items wait in one direction."""
    done, conflicts = [], []
    with app.sessions.begin() as writing:
        for item in sorted(items, key=lambda one: (one.item_id, one.version)):
            try:
                with writing.begin_nested():
                    done.append((item.item_id, act(writing, item)))
            except (Stale, Forbidden):
                conflicts.append(conflict_in(writing, app, who, item.item_id))
    return Decided(done=tuple(done), conflicts=tuple(conflicts))


def _verdict(app: AppContext, who: Viewer, given: Decide, now: datetime) -> Verdict:
    match given.action:
        case "done":
            return Done()
        case "not_us":
            return NotUs()
        case "snooze":
            return Snooze(until(given.until, given.on, now, who.timezone))
        case "assign":
            return _assignee(app, who, given.target)


def _assignee(app: AppContext, who: Viewer, target: str) -> ToTeam | ToPerson:
    kind, _sep, name = target.partition(":")
    if kind == "team" and name:
        with app.readers.begin() as reading:
            known = {team.name for team in assignees.teams(reading, who.brand)}
        if name in known:
            return ToTeam(name)
    if kind == "person":
        try:
            return ToPerson(who.person_id if name == "me" else column_number(name))
        except ValueError:
            pass
    raise BadInput("target", target, "there is no such team or person")
