"""What an XRPC server's refusals mean. Pure.

The names are those of the lexicons (https://github.com/bluesky-social/atproto/tree/main/lexicons)
and of XRPC itself (https://atproto.com/specs/xrpc#error-responses).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from collectors.contract.causes import Cause, Refusal

NOT_THERE = frozenset({"NotFound", "RecordNotFound"})
_INVALID = "InvalidRequest"
_LONG = ("grapheme", "longer than", "too long", "too big")
"""Parts of the words with which a server's validation says that a text is too long."""

_BY_NAME: Mapping[str, Cause] = {
    **dict.fromkeys(NOT_THERE, Cause.GONE),
    "RateLimitExceeded": Cause.RATE_LIMIT,
    "AccountTakedown": Cause.SUSPENDED,
    "RepoTakendown": Cause.SUSPENDED,
    "RepoSuspended": Cause.SUSPENDED,
    "AccountDeactivated": Cause.ACCOUNT_LOCKED,
    "RepoDeactivated": Cause.ACCOUNT_LOCKED,
    "AuthenticationRequired": Cause.CREDENTIALS,
    "AuthFactorTokenRequired": Cause.CREDENTIALS,
    "AuthMissing": Cause.CREDENTIALS,
    "ExpiredToken": Cause.CREDENTIALS,
    "InvalidToken": Cause.CREDENTIALS,
    "BlockedActor": Cause.NOT_ALLOWED,
    "BlockedByActor": Cause.NOT_ALLOWED,
    "PayloadTooLarge": Cause.TOO_LONG,
    "InvalidSwap": Cause.DUPLICATE,
    _INVALID: Cause.INVALID,
    "InternalServerError": Cause.UNAVAILABLE,
    "UpstreamFailure": Cause.UNAVAILABLE,
    "UpstreamTimeout": Cause.UNAVAILABLE,
    "NotEnoughResources": Cause.UNAVAILABLE,
}


def refusal(status: int, name: str, message: str, wait_s: float | None) -> Refusal:
    """A server's refusal: its own name for it, else its status. `wait_s` is what it asks for."""
    cause = _BY_NAME.get(name)
    if cause is Cause.INVALID and any(words in message.casefold() for words in _LONG):
        cause = Cause.TOO_LONG
    if cause is None:
        cause = _by_status(status)
    return Refusal(cause=cause, code=f"{status} {name}".strip(), wait_s=wait_s)


def _by_status(status: int) -> Cause:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Cause.UNAVAILABLE
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Cause.RATE_LIMIT
    return Cause.CREDENTIALS if status == HTTPStatus.UNAUTHORIZED else Cause.OTHER
