"""Which file is read, and how fast."""

from __future__ import annotations

from collectors.contract.config import FIRST_DAYS, Days, SourceConfig, require


class RecordedConfig(SourceConfig, frozen=True, kw_only=True):
    """A JSON-lines file, read at `speed` posts per second (0: as fast as possible).

    `everything` says that each post is a mention; otherwise the brand's queries decide.
    """

    path: str
    speed: float = 0.0
    everything: bool = False
    first_days: Days = FIRST_DAYS

    def __post_init__(self) -> None:
        require(self, "path")
        if self.speed < 0:
            raise ValueError(f"RecordedConfig.speed must not be negative, got {self.speed}")
