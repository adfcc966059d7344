"""A platform to answer on, for models that choose what becomes of each attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from collectors.contract.source import (
    Answer,
    Outcome,
    PlatformError,
    Refused,
    Seen,
    Sent,
    Thread,
    Unknown,
)
from tests.builders import ManualClock


@dataclass(frozen=True)
class Standing:
    """One of our replies as it stands on the platform."""

    answer: Answer
    name: str
    at: datetime
    visible_at: datetime


@dataclass
class SilentPlatform:
    """No idempotency, late to show, and silent when told to be. What stands is the truth."""

    clock: ManualClock
    fate: str = "taken"
    delay_s: float = 0.0
    readable: bool = True
    standing: list[Standing] = field(default_factory=list)
    platform: str = "simulator"
    settle_s: float = 5.0

    def send(self, answer: Answer) -> Outcome:
        if self.fate == "refused":
            return Refused(reason="slow down", permanent=False, retry_after_s=5)
        if self.fate == "forbidden":
            return Refused(reason="locked", permanent=True)
        if self.fate == "request lost":
            return Unknown(reason="no answer in time")
        now = self.clock()
        name = f"n{len(self.standing)}"
        self.standing.append(Standing(answer, name, now, now + timedelta(seconds=self.delay_s)))
        return Sent(native_id=name) if self.fate == "taken" else Unknown(reason="reset")

    def read(self, answer: Answer) -> Thread:
        if not self.readable:
            raise PlatformError("the platform is down; wait")
        posts = [
            Seen(native_id=s.name, parent=s.answer.parent, text=s.answer.text, at=s.at, ours=True)
            for s in self.standing
            if s.answer.parent == answer.parent and s.visible_at <= self.clock()
        ]
        return Thread(gone=False, posts=posts)

    def close(self) -> None:
        """Nothing to give back."""
