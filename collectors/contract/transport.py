"""HTTP for the client libraries: bounds, another address, and what a failure proves.

Every request to a platform goes through a `PlatformSession`. What it reaches is the host that
the library or the operator named: nothing that came from outside is ever an address here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from collectors.contract.rate_limits import RateLimits
from collectors.contract.validation import utc_now
from collectors.contract.waits import SHORTEST_S, bounded_wait_s

CONNECT_TIMEOUT_S = 5.0

BODY_LIMIT = 32 << 20
"""The longest answer read, in bytes, once unpacked: no listing of a platform comes near it."""

_CHUNK = 1 << 16


class OversizedAnswer(requests.RequestException):
    """A platform's answer was longer than `BODY_LIMIT`, or took longer than it may."""


class UsedUp(requests.RequestException):
    """What the platform takes of us in this window is used up, so that nothing was asked.

    `wait_s` is how long the window still lasts, in seconds.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__("this window's requests are used up")
        self.wait_s = wait_s


class BoundedAdapter(HTTPAdapter):
    """Gives each request a time-out if it has none, and reads its answer whole within bounds.

    A time-out of requests is for each single read: a server that sends a byte now and then
    would hold a process for ever, and a few packed kilobytes can unpack to all its memory.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """The answer, read. Raises OversizedAnswer, and what requests raises."""
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        response = super().send(request, *args, **{**kwargs, "stream": True})
        try:
            body = b"".join(_bounded(response, time.monotonic() + self._timeout[1]))
        except BaseException:
            response.close()
            raise
        response._content = body  # noqa: SLF001 -- where Response.content looks first
        return response


def _bounded(response: requests.Response, until: float) -> Iterator[bytes]:
    """The unpacked body as it arrives. Errors are those that requests makes of them."""
    size = 0
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            size += len(chunk)
            if size > BODY_LIMIT:
                raise OversizedAnswer(f"the answer is longer than {BODY_LIMIT} bytes")
            if time.monotonic() > until:
                raise OversizedAnswer("the answer came too slowly to be waited for")
            yield chunk
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from error
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from error
    except ReadTimeoutError as error:
        raise requests.ReadTimeout(error) from error


class PlatformSession(requests.Session):
    """A session whose every answer is bounded, and which goes nowhere that an answer says.

    requests would follow a redirect to any host, over plain HTTP too, and repeat a form with
    its passwords there. No API that we use redirects: one that does is an error to be shown.

    `rate_limits` reads what the answers say of the platform's rate limits. Sessions that share a
    client share it. While they say that nothing is left, nothing is asked.
    """

    def __init__(
        self,
        timeout_s: float,
        now: Callable[[], datetime] = utc_now,
        rate_limits: RateLimits | None = None,
    ) -> None:
        super().__init__()
        self.rate_limits = RateLimits() if rate_limits is None else rate_limits
        self._now = now
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter(timeout_s))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """The answer. Raises UsedUp, and what requests raises."""
        route = f"{request.method} {request.path_url.partition('?')[0]}"
        if wait_s := self.rate_limits.wait_s(route, self._now()):
            raise UsedUp(wait_s)
        response = super().send(request, **kwargs)
        self.rate_limits.note(route, response.headers, self._now())
        return response

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: requests asks here where to go on."""
        return None


class RelayAdapter(BoundedAdapter):
    """Sends every request to `endpoint`.

    For libraries that name their host in the code. A request is signed
    before it comes here, so an OAuth 1 signature still speaks of the original address: a
    relay in front of the platform needs no secret.
    """

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        super().__init__(timeout_s)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        query = f"?{parts.query}" if parts.query else ""
        request.url = f"{self._endpoint}{parts.path}{query}"
        return super().send(request, *args, **kwargs)


def json_of(response: requests.Response) -> Any:
    """The answer as JSON. Raises requests' InvalidJSONError, also for one nested without end."""
    try:
        return response.json()
    except RecursionError as error:
        raise requests.exceptions.InvalidJSONError("the answer is nested too deeply") from error


def never_sent(error: BaseException) -> bool:
    """True if `error` proves that the request did not reach the platform.

    Only a connection that was never made proves it; a reset or a time-out afterwards does not.
    """
    if isinstance(error, UsedUp | requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(error, requests.ConnectionError) and isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    )


def retry_after_s(headers: Mapping[str, str], now: datetime, reset: str = "") -> float | None:
    """Seconds that a platform asks us to wait: by `Retry-After`, or by the epoch in `reset`.

    `reset` names a header that holds seconds since 1970. Bounded by `collectors.contract.waits`;
    None when the platform said nothing that can be read, or named a time that is over.
    """
    wait = _told_after(headers.get("retry-after", "").strip(), now)
    if wait is None and reset:
        until = _number(headers.get(reset, ""))
        wait = until - now.timestamp() if math.isfinite(until) else None
    return bounded_wait_s(wait)


def _told_after(told: str, now: datetime) -> float | None:
    """`Retry-After` in seconds, be it a number or a date; None where it is neither."""
    if math.isfinite(seconds := _number(told)):
        return seconds or SHORTEST_S
    try:
        at = parsedate_to_datetime(told)
        return (at.replace(tzinfo=at.tzinfo or UTC) - now) / timedelta(seconds=1)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _number(told: str) -> float:
    try:
        return float(told)
    except ValueError:
        return math.nan
