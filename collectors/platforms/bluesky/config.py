"""How Bluesky is set: a Jetstream to read, and an account to answer with."""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import urlsplit

from collectors.contract.config import SourceConfig


class BlueskyConfig(SourceConfig, frozen=True, kw_only=True):
    """A Jetstream to read, and an account to answer with.

    `endpoint` is the Jetstream instance; `protocol` v1 is for instances that still count in
    microseconds. `service` is the account's own server (PDS); `password` an app password.
    Without `identifier` the source reads only.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"password"})

    endpoint: str = "wss://jetstream.us-east.bsky.network"
    protocol: Literal["v2", "v1"] = "v2"
    service: str = "https://bsky.social"
    identifier: str = ""
    password: str = ""
    timeout_s: float = 20.0

    def __post_init__(self) -> None:
        if urlsplit(self.endpoint).scheme not in {"ws", "wss"}:
            raise ValueError(f"BlueskyConfig.endpoint must be ws:// or wss://, got {self.endpoint}")
        if urlsplit(self.service).scheme not in {"http", "https"}:
            raise ValueError(f"BlueskyConfig.service must be http(s), got {self.service}")
        if bool(self.identifier) != bool(self.password):
            raise ValueError("BlueskyConfig needs both identifier and password, or neither")
