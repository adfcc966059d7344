"""Why a platform refuses: one list of causes for all, and what follows from each. Pure.

A platform's folder reads its own codes, names and words into a cause. The cause decides what
people are told, and whether and when it is tried again. A status code alone never does, where the
platform says more than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from collectors.contract.source import PlatformError, Refused, Unknown

_HOUR_S = 3_600.0
_SLOT_S = 4 * _HOUR_S
"""The eight attempts of a reply (`send_rules.ATTEMPTS`) then span more than a day."""


class Cause(StrEnum):
    """Why a request was refused."""

    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    GONE = "gone"
    LOCKED = "locked"
    NOT_ALLOWED = "not_allowed"
    ACCOUNT_LOCKED = "account_locked"
    SUSPENDED = "suspended"
    AUTOMATED = "automated"
    DAILY_LIMIT = "daily_limit"
    RATE_LIMIT = "rate_limit"
    NO_CREDIT = "no_credit"
    CREDENTIALS = "credentials"
    PERMISSION = "permission"
    INVALID = "invalid"
    UNAVAILABLE = "unavailable"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from a cause.

    `again`: never, later, or only after the thread was read back, as the reply may be there.
    `wait_s` is the rest in seconds where the platform names none (None: our own back-off).
    """

    words: str
    again: Literal["never", "later", "read back"]
    wait_s: float | None = None


RULES: Mapping[Cause, Rule] = {
    Cause.TOO_LONG: Rule("the reply is too long: shorten it", "never"),
    Cause.DUPLICATE: Rule("this text was posted already", "read back"),
    Cause.GONE: Rule("the post is gone or hidden", "never"),
    Cause.LOCKED: Rule("the thread is locked or archived", "never"),
    Cause.NOT_ALLOWED: Rule("our account may not answer this post", "never"),
    Cause.ACCOUNT_LOCKED: Rule(
        "our account is locked for now: sign in there and unlock it", "later", _HOUR_S
    ),
    Cause.SUSPENDED: Rule("our account is suspended: sign in there and appeal", "never"),
    Cause.AUTOMATED: Rule("the reply was taken for an automated one", "later", _HOUR_S),
    Cause.DAILY_LIMIT: Rule("the account's limit of a day is used up", "later", _SLOT_S),
    Cause.RATE_LIMIT: Rule("rate limit", "later"),
    Cause.NO_CREDIT: Rule("no credits left: raise the spending limit", "later", _HOUR_S),
    Cause.CREDENTIALS: Rule("signing in was refused: check the keys or the password", "never"),
    Cause.PERMISSION: Rule("the app may not do this: check its permissions", "never"),
    Cause.INVALID: Rule(
        "the request was not understood: check the text, or the source's settings", "never"
    ),
    Cause.UNAVAILABLE: Rule("server error", "read back"),
    Cause.OTHER: Rule("refused: check the account and what the app may do", "never"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A platform's refusal, read.

    `code` is what the platform calls it, for people to look up; it holds none of its prose, which
    may repeat ours. `wait_s` is its own word on when to come back, in seconds.
    """

    cause: Cause
    code: str = ""
    wait_s: float | None = None

    @property
    def rule(self) -> Rule:
        return RULES[self.cause]

    @property
    def words(self) -> str:
        return f"{self.rule.words} ({self.code})" if self.code else self.rule.words

    @property
    def rest_s(self) -> float | None:
        """How long to wait before the next try, in seconds; None for our own back-off."""
        return self.rule.wait_s if self.wait_s is None else self.wait_s


def outcome_of(platform: str, refusal: Refusal) -> Refused | Unknown:
    """What the refusal of a reply proves. `platform` is its name for people."""
    reason = f"{platform}: {refusal.words}"
    if refusal.rule.again == "read back":
        return Unknown(reason=reason)
    if refusal.rule.again == "never":
        return Refused(reason=reason, permanent=True)
    return Refused(reason=reason, permanent=False, retry_after_s=refusal.rest_s)


def error_of(what: str, refusal: Refusal) -> PlatformError:
    """What the refusal of a reading means; `what` names platform and request."""
    permanent = refusal.rule.again == "never"
    wait_s = None if permanent else refusal.rest_s
    return PlatformError(f"{what}: {refusal.words}", permanent=permanent, retry_after_s=wait_s)
