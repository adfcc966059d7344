"""What Reddit's refusals mean. Pure.

The codes are those of https://github.com/reddit-archive/reddit/blob/master/r2/r2/lib/errors.py,
which are all that Reddit has published of them, and what its API has answered since.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from collectors.contract.causes import Cause, Refusal

_CODE = re.compile(r"[A-Z0-9_]{1,60}")
"""Reddit's name of an error, such as THREAD_LOCKED; what comes with it is prose."""

_BUSY_S = 60.0
"""How long to wait, in seconds, where Reddit does not say."""

_BY_CODE: Mapping[str, Cause] = {
    "RATELIMIT": Cause.RATE_LIMIT,
    "QUOTA_FILLED": Cause.DAILY_LIMIT,
    "TOO_LONG": Cause.TOO_LONG,
    "DELETED_COMMENT": Cause.GONE,
    "DELETED_LINK": Cause.GONE,
    "NO_THING_ID": Cause.GONE,
    "THREAD_LOCKED": Cause.LOCKED,
    "COMMENTER_BLOCKED_POSTER": Cause.NOT_ALLOWED,
    "TOO_OLD": Cause.LOCKED,
    "ARCHIVED": Cause.LOCKED,
    "SUBREDDIT_NOTALLOWED": Cause.NOT_ALLOWED,
    "BANNED_FROM_SUBREDDIT": Cause.NOT_ALLOWED,
    "USER_BLOCKED": Cause.NOT_ALLOWED,
    "USER_REQUIRED": Cause.CREDENTIALS,
    "WRONG_PASSWORD": Cause.CREDENTIALS,
    "IN_TIMEOUT": Cause.SUSPENDED,
    "NO_TEXT": Cause.INVALID,
    "BAD_CAPTCHA": Cause.AUTOMATED,
}


def refusal(codes: Sequence[str], told: object = None) -> Refusal:
    """What the errors of an answer say together; `told` is its `ratelimit`, in seconds."""
    causes = [_BY_CODE.get(code, Cause.OTHER) for code in codes]
    cause = min(causes, key=_how_vague, default=Cause.OTHER)
    wait_s = None
    if cause is Cause.RATE_LIMIT:
        wait_s = told if isinstance(told, float | int) and told > 0 else _BUSY_S
    named = ", ".join(code for code in codes if _CODE.fullmatch(code))
    return Refusal(cause=cause, code=named, wait_s=wait_s)


def _how_vague(cause: Cause) -> int:
    """What passes by itself counts first: nothing else was looked at. What says little, last."""
    return {Cause.RATE_LIMIT: 0, Cause.INVALID: 2, Cause.OTHER: 3}.get(cause, 1)


_BY_STATUS: Mapping[int, Cause] = {
    HTTPStatus.BAD_REQUEST: Cause.INVALID,
    HTTPStatus.UNAUTHORIZED: Cause.CREDENTIALS,
    HTTPStatus.FORBIDDEN: Cause.NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: Cause.GONE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Cause.TOO_LONG,
    HTTPStatus.TOO_MANY_REQUESTS: Cause.RATE_LIMIT,
}
"""Where Reddit gives no code."""


def by_status(status: int, wait_s: float | None) -> Refusal:
    """A refusal without a code; `wait_s` is what its headers ask for, in seconds."""
    is_theirs = not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    cause = Cause.UNAVAILABLE if is_theirs else _BY_STATUS.get(status, Cause.OTHER)
    if cause is Cause.RATE_LIMIT and wait_s is None:
        wait_s = _BUSY_S
    return Refusal(cause=cause, code=str(status), wait_s=wait_s)
