"""How the simulated world is set: its size, its speed and how badly it behaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from collectors.contract.config import SourceConfig
from collectors.platforms.simulator.phrases import LANGUAGES
from earshot.items.reply_length import Bound, ReplyLength, Unit

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]

REPLY_LENGTH: ReplyLength = (Bound(unit=Unit.GRAPHEMES, limit=500),)

_CHANGES = 0.5


class SimulatorConfig(SourceConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that decides the world, besides the clock. Shares are of all events or attempts.

    `rate` is in events per second (0: everything is there at once, dated from `start` on);
    `count` ends the world after so many events (0: never). Both are divided among `parts`.
    After a pause longer than `catch_up_s` the world goes on as if it had been that long.
    Raises ValueError (msgspec.ValidationError from `msgspec.convert`) for impossible values.
    """

    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 7
    rate: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 2.0
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    start: Annotated[datetime, msgspec.Meta(tz=True)] = datetime(2026, 3, 2, 8, tzinfo=UTC)
    parts: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 500
    backlog: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 40
    catch_up_s: _Seconds = 60.0
    languages: dict[str, Annotated[float, msgspec.Meta(ge=0)]] = msgspec.field(
        default_factory=lambda: {"en": 0.70, "es": 0.12, "de": 0.10, "fr": 0.08}
    )

    duplicate: Share = 0.02
    edit: Share = 0.02
    delete: Share = 0.01
    late: Share = 0.03

    refuse: Share = 0.0
    lose_request: Share = 0.0
    lose_answer: Share = 0.0
    late_visibility_s: _Seconds = 1.0
    follow_up: Share = 0.35

    def __post_init__(self) -> None:
        unknown = sorted(set(self.languages) - set(LANGUAGES))
        if unknown:
            raise ValueError(
                f"the simulator speaks {', '.join(LANGUAGES)}, not {', '.join(unknown)}:"
                " correct its `languages`"
            )
        if not sum(self.languages.values()) > 0:
            raise ValueError("the simulator's `languages` weigh 0 together: give one a weight")
        changes = self.duplicate + self.edit + self.delete
        if changes > _CHANGES:
            raise ValueError(
                f"the simulator's `duplicate`, `edit` and `delete` add up to {changes:g}:"
                f" at most {_CHANGES:g} of all events can be about earlier ones"
            )


def check_credentials(_: SimulatorConfig) -> str:
    return "the simulator needs no credentials"
