"""Every platform, in one table: how its settings look, and what is made of them.

A new platform is one file with a config, a `Source` and where it can answer a `Responder`,
one line here, and one line in the conformance kit's list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from collectors.contract.config import SourceConfig
from collectors.contract.source import Responder, Source
from collectors.platforms import check_credentials
from collectors.platforms.bluesky.client import BlueskyConfig
from collectors.platforms.bluesky.source import BlueskyResponder, BlueskySource
from collectors.platforms.recorded.source import RecordedConfig, RecordedSource
from collectors.platforms.reddit.client import RedditConfig
from collectors.platforms.reddit.source import RedditResponder, RedditSource
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.source import Simulator, SimulatorResponder
from collectors.platforms.x.client import XConfig
from collectors.platforms.x.source import XResponder, XSource


@dataclass(frozen=True, slots=True)
class Platform:
    """One kind of source: its settings' type, and what makes a source and a responder.

    Both are made from the settings and a folder of the source's own, which most don't need.
    `responder` gives None where the settings hold nothing to answer with. `access` asks the
    platform whether it takes the credentials: see `collectors.platforms.check_credentials`.
    """

    config: type[SourceConfig]
    source: Callable[[Any, Path], Source]
    responder: Callable[[Any, Path], Responder | None]
    check_credentials: Callable[[Any], str]

    def read(self, settings: Mapping[str, Any]) -> SourceConfig:
        """The settings as frozen values. Raises msgspec.ValidationError that names the key."""
        config: SourceConfig = msgspec.convert(dict(settings), self.config, strict=False)
        return config


def _x_responder(config: XConfig, _: Path) -> Responder | None:
    return XResponder(config) if config.may_write else None


def _reddit_responder(config: RedditConfig, _: Path) -> Responder | None:
    return RedditResponder(config) if config.may_write else None


def _bluesky_responder(config: BlueskyConfig, _: Path) -> Responder | None:
    return BlueskyResponder(config) if config.identifier else None


PLATFORMS: Mapping[str, Platform] = {
    "bluesky": Platform(
        BlueskyConfig,
        lambda config, _: BlueskySource(config),
        _bluesky_responder,
        check_credentials.bluesky,
    ),
    "recorded": Platform(
        RecordedConfig,
        lambda config, _: RecordedSource(config),
        lambda *_: None,
        check_credentials.recorded,
    ),
    "reddit": Platform(
        RedditConfig,
        lambda config, _: RedditSource(config),
        _reddit_responder,
        check_credentials.reddit,
    ),
    "simulator": Platform(
        SimulatorConfig, Simulator, SimulatorResponder, check_credentials.simulator
    ),
    "x": Platform(XConfig, lambda config, _: XSource(config), _x_responder, check_credentials.x),
}
