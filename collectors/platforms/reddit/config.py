"""How a Reddit app is set: its account, and what to collect."""

from __future__ import annotations

from typing import ClassVar

from collectors.contract.config import FIRST_DAYS, Days, SourceConfig, require


class RedditConfig(SourceConfig, frozen=True, kw_only=True):
    """A Reddit app, its account, and what to collect.

    Either `subreddits` (every comment and submission, to be matched), or `inbox` (the
    mentions of our account): two sources, because the first needs matching and the second
    does not. Answering and the inbox take `username` with `password`, or with
    `refresh_token`. `endpoint` stands in for both of Reddit's hosts.
    """

    secrets: ClassVar[frozenset[str]] = frozenset({"client_secret", "password", "refresh_token"})

    client_id: str
    client_secret: str
    user_agent: str
    username: str = ""
    password: str = ""
    refresh_token: str = ""
    subreddits: tuple[str, ...] = ()
    inbox: bool = False
    endpoint: str = ""
    first_days: Days = FIRST_DAYS
    poll_every_s: float = 15.0
    timeout_s: float = 16.0

    def __post_init__(self) -> None:
        require(self, "client_id", "client_secret", "user_agent")
        if self.inbox == bool(self.subreddits):
            raise ValueError(
                "RedditConfig needs either subreddits or inbox = true: they are two sources, "
                f"got subreddits={list(self.subreddits)} and inbox={self.inbox}"
            )
        wrong = [name for name in self.subreddits if not name.replace("_", "").isalnum()]
        if wrong:
            raise ValueError(f"RedditConfig.subreddits are plain names without r/, got {wrong}")
        if self.inbox and not self.may_write:
            raise ValueError("RedditConfig.inbox needs username, and password or refresh_token")

    @property
    def may_write(self) -> bool:
        return bool(self.username and (self.password or self.refresh_token))
