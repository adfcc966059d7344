"""Every platform, in one list. Its folder is loaded when somebody asks for it.

A new platform is its folder with a `PLATFORM`, and one line here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from collectors.contract.platform import Platform

FOLDERS = (
    "bluesky",
    "recorded",
    "reddit",
    "simulator",
    "x",
)
"""The folders beside this file. Each is named as its platform is in `[sources.NAME] kind`."""

DEMO = "simulator"
"""The platform that needs no key and no network, for where no source is configured."""


class Registry(Mapping[str, Platform]):
    """Platforms by key. Whoever uses one loads the client library of that one."""

    def __getitem__(self, key: str) -> Platform:
        if key not in FOLDERS:
            raise KeyError(key)
        platform: Platform = import_module(f"collectors.platforms.{key}").PLATFORM
        return platform

    def __iter__(self) -> Iterator[str]:
        return iter(FOLDERS)

    def __len__(self) -> int:
        return len(FOLDERS)


PLATFORMS = Registry()
