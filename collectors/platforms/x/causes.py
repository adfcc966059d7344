"""What X's refusals mean. Pure.

Codes, types and words are those of https://docs.x.com/x-api/fundamentals/response-codes-and-errors
and, for the numbers that older routes still answer with, of
https://developer.x.com/en/support/x-api/error-troubleshooting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from collectors.contract.causes import Cause, Refusal

_DAYS = ("x-user-limit-24hour", "x-app-limit-24hour")

_BY_CODE: Mapping[int, Cause] = {
    32: Cause.CREDENTIALS,
    64: Cause.SUSPENDED,
    88: Cause.RATE_LIMIT,
    89: Cause.CREDENTIALS,
    144: Cause.GONE,
    179: Cause.NOT_ALLOWED,
    185: Cause.DAILY_LIMIT,
    186: Cause.TOO_LONG,
    187: Cause.DUPLICATE,
    226: Cause.AUTOMATED,
    261: Cause.PERMISSION,
    326: Cause.ACCOUNT_LOCKED,
    385: Cause.GONE,
    433: Cause.NOT_ALLOWED,
}

_BY_TYPE: Mapping[str, Cause] = {
    "usage-capped": Cause.NO_CREDIT,
    "client-forbidden": Cause.PERMISSION,
    "oauth1-permissions": Cause.PERMISSION,
    "unsupported-authentication": Cause.CREDENTIALS,
    "resource-not-found": Cause.GONE,
    "not-authorized-for-resource": Cause.NOT_ALLOWED,
    "rate-limit-exceeded": Cause.RATE_LIMIT,
}
"""By the last part of a problem's type, which is an address."""

_BY_WORDS: tuple[tuple[str, Cause], ...] = (
    ("duplicate content", Cause.DUPLICATE),
    ("text is too long", Cause.TOO_LONG),
    ("needs to be a bit shorter", Cause.TOO_LONG),
    ("temporarily locked", Cause.ACCOUNT_LOCKED),
    ("account is suspended", Cause.SUSPENDED),
    ("has been suspended", Cause.SUSPENDED),
    ("might be automated", Cause.AUTOMATED),
    ("daily status update limit", Cause.DAILY_LIMIT),
    ("daily limit", Cause.DAILY_LIMIT),
    ("deleted or not visible", Cause.GONE),
    ("that is deleted", Cause.GONE),
    ("deleted post", Cause.GONE),
    ("reply to this conversation is not allowed", Cause.NOT_ALLOWED),
    ("have not been mentioned", Cause.NOT_ALLOWED),
    ("app permissions", Cause.PERMISSION),
)
"""By a part of what X says in `detail` or `message`, where it gives neither code nor type."""

_BY_STATUS: Mapping[int, Cause] = {
    HTTPStatus.BAD_REQUEST: Cause.INVALID,
    HTTPStatus.UNAUTHORIZED: Cause.CREDENTIALS,
    HTTPStatus.PAYMENT_REQUIRED: Cause.NO_CREDIT,
    HTTPStatus.NOT_FOUND: Cause.INVALID,
    HTTPStatus.TOO_MANY_REQUESTS: Cause.RATE_LIMIT,
}
"""Where X says nothing more."""


def refusal(
    status: int, body: Any, headers: Mapping[str, str], wait_s: float | None = None
) -> Refusal:
    """An answer of X that is no success; `wait_s` is what its headers ask for, in seconds."""
    code, cause = _told(body)
    if cause is None:
        is_theirs = not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
        cause = Cause.UNAVAILABLE if is_theirs else _BY_STATUS.get(status, Cause.OTHER)
    if cause is Cause.RATE_LIMIT and spent_day(headers):
        cause = Cause.DAILY_LIMIT
    return Refusal(cause=cause, code=f"{status}{code}", wait_s=wait_s)


def spent_day(headers: Mapping[str, str]) -> str:
    """The limit of a day of which nothing is left, by its headers' name; empty where none is."""
    return next((name for name in _DAYS if headers.get(f"{name}-remaining") == "0"), "")


def _told(body: Any) -> tuple[str, Cause | None]:
    """X's code with a comma before it, if it has one that we know, and the cause it names."""
    problems = list(_problems(body))
    for problem in problems:
        code = problem.get("code")
        if type(code) is int and code in _BY_CODE:
            return f", {code}", _BY_CODE[code]
    for problem in problems:
        name = str(problem.get("type", "")).rpartition("/")[2]
        if name in _BY_TYPE:
            return f", {name}", _BY_TYPE[name]
    said = " ".join(str(problem.get(key, "")) for problem in problems for key in _PROSE).casefold()
    return "", next((cause for words, cause in _BY_WORDS if words in said), None)


_PROSE = ("detail", "message")


def _problems(body: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(body, dict):
        yield body
        errors = body.get("errors")
        for one in errors if isinstance(errors, list) else ():
            if isinstance(one, dict):
                yield one
