"""The views of triage: each a state with a condition, and its count in the backlog."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request
from sqlalchemy.orm import Session

from dashboard.board import backlog_counts
from dashboard.frame.i18n import lazy
from earshot.domain import ItemFlag, ItemState, Sentiment


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`count` is the name under which live pages are told the number."""

    label: str
    count: str
    state: ItemState = ItemState.NEW
    sentiment: str = ""
    flag: int = 0


VIEWS = {
    "all": View(label=lazy("All new"), count="triage"),
    "negative": View(label=lazy("Negative"), count="negative", sentiment=Sentiment.NEGATIVE),
    "reach": View(label=lazy("High reach"), count="reach", flag=ItemFlag.HIGH_REACH),
    "unsure": View(label=lazy("Unsure"), count="unsure", flag=ItemFlag.UNSURE),
    "snoozed": View(label=lazy("Snoozed"), count="snoozed", state=ItemState.SNOOZED),
}


def counts(session: Session, brand: str) -> dict[str, int]:
    """How many items are in each view."""
    return {
        name: backlog_counts.open_items(
            session, brand, (view.state,), sentiment=view.sentiment, flag=view.flag
        )
        for name, view in VIEWS.items()
    }


@dataclass(frozen=True, slots=True)
class Place:
    """Where in triage a person is, as the address says it."""

    view: str
    q: str

    def query(self, **more: object) -> str:
        """The query string of this place, with `more` of what isn't empty."""
        wanted = {"view": self.view, "q": self.q, **more}
        return urlencode({name: value for name, value in wanted.items() if value})


def place_of_request() -> Place:
    """The place that the request names; an unknown view is the whole of triage."""
    view = request.values.get("view", "all")
    return Place(view if view in VIEWS else "all", request.values.get("q", "")[:400])
