"""Every platform, in one table: how its settings look, and what is made of them.

A new platform is one file with a config, a `Source` and where it can answer a `Responder`,
one line here, and one line in the conformance kit's list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from collectors.bluesky import BlueskyResponder, BlueskySource
from collectors.bluesky_client import BlueskyConfig
from collectors.config import SourceConfig
from collectors.recorded import RecordedConfig, RecordedSource
from collectors.reddit import RedditResponder, RedditSource
from collectors.reddit_client import RedditConfig
from collectors.source import Responder, Source
from collectors.x import XResponder, XSource
from collectors.x_client import XConfig

C = TypeVar("C", bound=SourceConfig)


class BadConfig(Exception):
    """A source's settings are wrong; the message names the source and the setting."""


@dataclass(frozen=True, slots=True)
class Platform(Generic[C]):
    """One kind of source: its settings' type, and what makes a source and a responder.

    `responder` gives None where the settings hold nothing to answer with.
    """

    config: type[C]
    source: Callable[[C], Source]
    responder: Callable[[C], Responder | None]


def read_config(kind: str, name: str, settings: Mapping[str, Any]) -> SourceConfig:
    """The settings of the source `name`, which is of the platform `kind`. Raises BadConfig."""
    platform = PLATFORMS.get(kind)
    if platform is None:
        known = ", ".join(sorted(PLATFORMS))
        raise BadConfig(f"source {name!r}: unknown platform {kind!r}, known are {known}")
    try:
        config: SourceConfig = msgspec.convert(dict(settings), platform.config)
    except msgspec.ValidationError as error:
        raise BadConfig(f"source {name!r} ({kind}): {error}") from error
    return config


def _answer_x(config: XConfig) -> Responder | None:
    return XResponder(config) if config.may_write else None


def _answer_reddit(config: RedditConfig) -> Responder | None:
    return RedditResponder(config) if config.may_write else None


def _answer_bluesky(config: BlueskyConfig) -> Responder | None:
    return BlueskyResponder(config) if config.identifier else None


PLATFORMS: Mapping[str, Platform[Any]] = {
    "bluesky": Platform(BlueskyConfig, BlueskySource, _answer_bluesky),
    "recorded": Platform(RecordedConfig, RecordedSource, lambda _: None),
    "reddit": Platform(RedditConfig, RedditSource, _answer_reddit),
    "x": Platform(XConfig, XSource, _answer_x),
}
