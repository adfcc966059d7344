"""What a platform is to the rest of Earshot: one value, made in its own folder.

`collectors.platforms.registry` lists them. Whatever else asks about a platform asks this value,
and names none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from collectors.contract.config import SourceConfig
from collectors.contract.rate_limits import LimitHeaders
from collectors.contract.source import Responder, Source
from earshot.items.reply_length import ReplyLength


class Action(StrEnum):
    """What we can do on a platform, besides reading."""

    REPLY = "reply"
    HIDE = "hide"
    LIKE = "like"
    PRIVATE_MESSAGE = "private_message"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a platform's own rules allow, whatever its API can do.

    `may_store_hours` is how long we may keep what was changed or deleted there (None: no such
    rule); `may_dm` whether we may write privately to somebody who has not asked for it;
    `may_merge_identity` whether its accounts may be joined with those of other platforms without
    the person's consent.
    """

    may_store_hours: float | None
    may_dm: bool
    may_merge_identity: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One kind of source.

    Source and responder are made from the settings and a folder of the source's own, which most
    don't need. `responder` gives None where the settings hold nothing to answer with.
    `check_credentials` asks the platform whether it takes them: a sentence about what was seen, or
    PlatformError. `reply_length` is the account's. `can` is what is implemented here.
    """

    key: str
    config: type[SourceConfig]
    source: Callable[[Any, Path], Source]
    responder: Callable[[Any, Path], Responder | None]
    check_credentials: Callable[[Any], str]
    reply_length: Callable[[Any], ReplyLength]
    limit_headers: Sequence[LimitHeaders]
    can: frozenset[Action]
    policy: Policy

    @property
    def secrets(self) -> frozenset[str]:
        """The settings that no log may show, and that a stored credential may hold."""
        return self.config.secrets

    def read(self, settings: Mapping[str, Any]) -> SourceConfig:
        """The settings as frozen values. Raises msgspec.ValidationError that names the key."""
        config: SourceConfig = msgspec.convert(dict(settings), self.config, strict=False)
        return config
