"""What a reader of a thread does: correct the labels that the model gave."""

from __future__ import annotations

from datetime import datetime

from dashboard.frame.app_context import AppContext, Viewer
from dashboard.frame.inputs import BadInput, Input, Number
from dashboard.thread import corrections
from dashboard.thread.conflicts import Conflict, conflict_on
from dashboard.thread.item_detail import Pane, pane
from earshot.domain import Sentiment
from earshot.items.lifecycle import Stale


class CorrectLabels(Input, frozen=True, kw_only=True):
    """The labels that a person believes in. `expect` is the version of the item they saw."""

    sentiment: Sentiment
    expect: Number
    topic: str = ""


def correct_labels(
    app: AppContext, who: Viewer, item_id: int, given: CorrectLabels, now: datetime
) -> Pane | Conflict | None:
    """The item with its labels corrected, who was faster, or None for an item that is not there.

    Raises BadInput for a topic that the brand does not have.
    """
    with app.readers.begin() as reading:
        before = pane(reading, who, item_id)
    if before is None:
        return None
    if given.topic not in ("", *before.topics):
        raise BadInput("topic", given.topic, "the brand has no such topic")
    try:
        with app.sessions.begin() as writing:
            corrections.correct(
                writing,
                who,
                item_id,
                given.expect,
                topic=given.topic,
                sentiment=given.sentiment,
                now=now,
            )
    except Stale:
        return conflict_on(app, who, item_id)
    with app.readers.begin() as reading:
        return pane(reading, who, item_id)
