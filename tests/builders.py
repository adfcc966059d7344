"""Values for tests: each has a default for everything, so that a test names what matters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from earshot.domain import (
    Author,
    Classification,
    Classified,
    Intent,
    Label,
    Mention,
    Sentiment,
    Urgency,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def an_author(**changes: Any) -> Author:
    return replace(Author(id="u1", name="Ana Perez", handle="ana", reach=120), **changes)


def a_mention(**changes: Any) -> Mention:
    default = Mention(
        brand="acme",
        source="sim",
        platform="simulator",
        native_id="1",
        thread="1",
        author=an_author(),
        text="Acme checkout keeps failing, please help!",
        url="https://example.org/1",
        published_at=NOON,
        collected_at=NOON,
    )
    return replace(default, **changes)


def a_label(value: str, confidence: float = 0.9, *reasons: str) -> Label:
    return Label(value=value, confidence=confidence, reasons=reasons)


def a_classification(**changes: Any) -> Classification:
    default = Classification(
        model="test-1",
        lang=a_label("en"),
        sentiment=a_label(Sentiment.NEGATIVE, 0.9, "failing"),
        intent=a_label(Intent.COMPLAINT, 0.9, "keeps failing"),
        urgency=a_label(Urgency.NORMAL),
        spam=a_label("ham", 0.99),
        topics=(a_label("checkout", 0.8, "checkout"),),
    )
    return replace(default, **changes)


def a_classified(*, classification: Classification | None = None, **changes: Any) -> Classified:
    return Classified(
        mention=a_mention(**changes), classification=classification or a_classification()
    )


class ManualClock:
    """A clock that stands still until a test moves it; `monotonic` runs with it, in seconds."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now

    def jump(self, **span: float) -> datetime:
        """The clock is set, ahead or back, while no time goes by."""
        self._ahead += timedelta(**span)
        self.now += timedelta(**span)
        return self.now

    def monotonic(self) -> float:
        return (self.now - self._ahead - NOON).total_seconds()
