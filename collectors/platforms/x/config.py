"""How an X account is set: its keys, and what to collect for it."""

from __future__ import annotations

from typing import ClassVar, Literal

from collectors.contract.config import FIRST_DAYS, Days, SourceConfig, require
from collectors.platforms.x.posts import Account


class XConfig(SourceConfig, frozen=True, kw_only=True):
    """An X account, and what to collect for it.

    `account` is our handle, `account_id` its numeric id (taken from the access token when
    empty). Reading takes the bearer token, or without one the four OAuth 1 keys; replying
    always takes the keys. `endpoint` stands in for tweepy's host.
    """

    secrets: ClassVar[frozenset[str]] = frozenset(
        {"bearer_token", "consumer_key", "consumer_secret", "access_token", "access_token_secret"}
    )

    account: str
    account_id: str = ""
    mode: Literal["mentions", "search"] = "mentions"
    query: str = ""
    bearer_token: str = ""
    consumer_key: str = ""
    consumer_secret: str = ""
    access_token: str = ""
    access_token_secret: str = ""
    endpoint: str = "https://api.twitter.com"
    first_days: Days = FIRST_DAYS
    poll_every_s: float = 30.0
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        require(self, "account")
        if not self.bearer_token and not self.may_write:
            raise ValueError(
                "XConfig needs bearer_token, or consumer_key, consumer_secret, access_token "
                "and access_token_secret: make them in X's developer console"
            )
        if self.mode == "search":
            require(self, "query")
        if not self.user_id.isdigit():
            raise ValueError(
                f"XConfig.account_id must be the account's numeric id, got {self.account_id!r}; "
                "without it, access_token must begin with that id and a hyphen"
            )

    @property
    def may_write(self) -> bool:
        return bool(
            self.consumer_key
            and self.consumer_secret
            and self.access_token
            and self.access_token_secret
        )

    @property
    def user_id(self) -> str:
        return self.account_id or self.access_token.partition("-")[0]

    @property
    def us(self) -> Account:
        return Account(id=self.user_id, handle=self.account.removeprefix("@"))
