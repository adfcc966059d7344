"""HTTP for the client libraries: time-outs, another address, and what a failure proves."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

CONNECT_TIMEOUT_S = 5.0


class RelayAdapter(HTTPAdapter):
    """Sends every request to `endpoint`, and gives each a time-out if it has none.

    For libraries that name their host in the code and wait for ever. A request is signed
    before it comes here, so an OAuth 1 signature still speaks of the original address: a
    relay in front of the platform needs no secret.
    """

    def __init__(self, endpoint: str, timeout_s: float) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        super().__init__()

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        parts = urlsplit(request.url or "")
        query = f"?{parts.query}" if parts.query else ""
        request.url = f"{self._endpoint}{parts.path}{query}"
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        return super().send(request, *args, **kwargs)


def never_sent(error: BaseException) -> bool:
    """True if `error` proves that the request did not reach the platform.

    Only a connection that was never made proves it; a reset or a time-out afterwards does not.
    """
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.InvalidURL):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(error, requests.ConnectionError) and isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    )


def retry_after_s(headers: Mapping[str, str], now: datetime, reset: str = "") -> float | None:
    """Seconds that a platform asks us to wait: by `Retry-After`, or by the epoch in `reset`.

    `reset` names a header that holds seconds since 1970. Never below one second; None when
    the platform said nothing that can be read.
    """
    after, until = headers.get("retry-after", ""), headers.get(reset, "") if reset else ""
    try:
        if after.strip().isdigit():
            return max(1.0, float(after))
        if after:
            return max(1.0, (parsedate_to_datetime(after) - now) / timedelta(seconds=1))
        if until:
            moment = datetime.fromtimestamp(float(until), UTC)
            return max(1.0, (moment - now) / timedelta(seconds=1))
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return None
