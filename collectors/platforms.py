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

from collectors import access
from collectors.bluesky import BlueskyResponder, BlueskySource
from collectors.bluesky_client import BlueskyConfig
from collectors.config import SourceConfig
from collectors.recorded import RecordedConfig, RecordedSource
from collectors.reddit import RedditResponder, RedditSource
from collectors.reddit_client import RedditConfig
from collectors.simulated.config import SimulatorConfig
from collectors.simulator import Simulator, SimulatorResponder
from collectors.source import Responder, Source
from collectors.x import XResponder, XSource
from collectors.x_client import XConfig


@dataclass(frozen=True, slots=True)
class Platform:
    """One kind of source: its settings' type, and what makes a source and a responder.

    Both are made from the settings and a folder of the source's own, which most don't need.
    `responder` gives None where the settings hold nothing to answer with. `access` asks the
    platform whether it takes the credentials: see `collectors.access`.
    """

    config: type[SourceConfig]
    source: Callable[[Any, Path], Source]
    responder: Callable[[Any, Path], Responder | None]
    access: Callable[[Any], str]

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
        BlueskyConfig, lambda config, _: BlueskySource(config), _bluesky_responder, access.bluesky
    ),
    "recorded": Platform(
        RecordedConfig, lambda config, _: RecordedSource(config), lambda *_: None, access.recorded
    ),
    "reddit": Platform(
        RedditConfig, lambda config, _: RedditSource(config), _reddit_responder, access.reddit
    ),
    "simulator": Platform(SimulatorConfig, Simulator, SimulatorResponder, access.simulator),
    "x": Platform(XConfig, lambda config, _: XSource(config), _x_responder, access.x),
}
