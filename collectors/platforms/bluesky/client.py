"""The connections to Bluesky: the stream's websocket, and XRPC to our server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import requests
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, reconnect
from websockets.typing import Subprotocol

from collectors.contract.rate_limits import LimitHeaders, RateLimits
from collectors.contract.source import PlatformError
from collectors.contract.transport import (
    CONNECT_TIMEOUT_S,
    PlatformSession,
    UsedUp,
    json_of,
    retry_after_s,
)
from collectors.contract.validation import MISREAD, utc_now
from collectors.platforms.bluesky.causes import refusal
from collectors.platforms.bluesky.config import BlueskyConfig
from collectors.platforms.bluesky.posts import POSTS

LIMIT_HEADERS = (LimitHeaders(name="ratelimit"),)

_STREAM = "/xrpc/network.bsky.jetstream.subscribeEvents"
_STREAM_V1 = "/subscribe"
_CLOSE_TIMEOUT_S = 0.5
"""Nothing that is still on its way matters: it is read again behind the cursor."""
STREAM_LIMIT = 4 << 20
"""The longest frame taken in, in bytes, once unpacked. Jetstream is asked not to send a longer one:
we would have to close the connection, and get it again at the next."""
_NAME = re.compile(r"[A-Za-z0-9]{1,100}")
"""A server's name of an error, such as RecordNotFound; anything else there may repeat ours."""


class CursorTooOld(Exception):
    """The stream no longer holds what comes after the cursor."""


class _Direct(reconnect):
    """A connection that takes no redirect: the stream comes from the operator's endpoint."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def open_stream(config: BlueskyConfig, cursor: int) -> ClientConnection:
    """A connection that sends every post and account event from `cursor` on.

    Raises CursorTooOld, and PlatformError.
    """
    if config.protocol == "v2":
        path, query = _STREAM, {"collections": [POSTS], "kinds": ["commit", "account"]}
        subprotocols = [Subprotocol("xrpc.v1.json")]
    else:
        path, query = _STREAM_V1, {"wantedCollections": [POSTS]}
        subprotocols = None
    query |= {"cursor": [str(cursor)], "maxMessageSizeBytes": [str(STREAM_LIMIT)]}
    address = f"{config.endpoint.rstrip('/')}{path}?{urlencode(query, doseq=True)}"
    try:
        stream = _Direct(
            address,
            subprotocols=subprotocols,
            open_timeout=CONNECT_TIMEOUT_S,
            close_timeout=_CLOSE_TIMEOUT_S,
            max_size=STREAM_LIMIT,
        ).connect()
    except InvalidStatus as error:
        if b"CursorTooOld" in (error.response.body or b""):
            raise CursorTooOld from error
        status = error.response.status_code
        raise PlatformError(
            f"Jetstream {config.endpoint}: refused the connection ({status})",
            permanent=HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
            and status != HTTPStatus.TOO_MANY_REQUESTS,
            retry_after_s=retry_after_s(_each(error.response.headers), utc_now()),
        ) from error
    except (InvalidURI, InvalidHandshake, OSError, TimeoutError) as error:
        raise PlatformError(
            f"Jetstream {config.endpoint}: no connection ({type(error).__name__})"
        ) from error
    stream.pending_legacy_warning = False  # we go without its reconnecting: the cursor is ours
    return stream


def _each(headers: Headers) -> Mapping[str, str]:
    """By their names in small letters; of a header that was sent twice, the last."""
    return {name.lower(): value for name, value in headers.raw_items()}


class XrpcError(Exception):
    """The server answered with an error: its name for it, and what it means."""

    def __init__(self, response: requests.Response, now: datetime) -> None:
        try:
            body = json_of(response)
            told, message = str(body.get("error", "")), str(body.get("message", ""))
        except (requests.RequestException, AttributeError):
            told = message = ""
        self.name = told if _NAME.fullmatch(told) else ""
        wait_s = retry_after_s(response.headers, now, "ratelimit-reset")
        self.refusal = refusal(response.status_code, self.name, message, wait_s)
        super().__init__(self.refusal.code)


class SignInFailed(PlatformError):
    """No session could be opened: nothing was asked, so nothing was posted."""


class Pds:
    """XRPC to the account's own server, signed in when first needed.

    The session is kept, because sign-ins are rationed (300 a day); an expired one is
    refreshed once per call.
    """

    def __init__(self, config: BlueskyConfig, now: Callable[[], datetime] = utc_now) -> None:
        self._config = config
        self._now = now
        self._http = PlatformSession(config.timeout_s, now, RateLimits(LIMIT_HEADERS))
        self._session: dict[str, Any] = {}

    @property
    def rate_limits(self) -> RateLimits:
        return self._http.rate_limits

    @property
    def did(self) -> str:
        """Our own account. Raises SignInFailed."""
        if not self._session:
            self._sign_in()
        return str(self._session["did"])

    def get(self, nsid: str, **params: str | int) -> Any:
        """A query's answer. Raises XrpcError, SignInFailed, and what requests raises."""
        return self._call("GET", nsid, params=params)

    def post(self, nsid: str, body: Any) -> Any:
        """A procedure's answer. Raises as `get` does."""
        return self._call("POST", nsid, json=body)

    def close(self) -> None:
        self._http.close()

    def _call(self, method: str, nsid: str, **kwargs: Any) -> Any:
        if not self._session:
            self._sign_in()
        try:
            return self._ask(method, nsid, self._session["accessJwt"], **kwargs)
        except XrpcError as error:
            if error.name not in {"ExpiredToken", "InvalidToken"}:
                raise
        self._refresh()
        return self._ask(method, nsid, self._session["accessJwt"], **kwargs)

    def _sign_in(self) -> None:
        asked = {"identifier": self._config.identifier, "password": self._config.password}
        try:
            made = self._ask("POST", "com.atproto.server.createSession", json=asked)
            self._session = {name: made[name] for name in ("did", "accessJwt", "refreshJwt")}
        except XrpcError as error:
            raise SignInFailed(
                f"signing in to {self._config.service} failed ({error}): check identifier and "
                "app password",
                permanent=error.refusal.rule.again == "never",
                retry_after_s=error.refusal.rest_s,
            ) from error
        except UsedUp as error:
            reason = f"signing in to {self._config.service}: {error}"
            raise SignInFailed(reason, retry_after_s=error.wait_s) from None
        except (requests.RequestException, *MISREAD) as error:
            raise SignInFailed(
                f"signing in to {self._config.service} got no answer ({type(error).__name__})"
            ) from error

    def _refresh(self) -> None:
        try:
            nsid = "com.atproto.server.refreshSession"
            made = self._ask("POST", nsid, self._session["refreshJwt"])
            self._session |= {name: made[name] for name in ("accessJwt", "refreshJwt")}
        except UsedUp:
            raise
        except XrpcError as error:
            if (
                error.refusal.rule.again != "never"
            ):  # the session is still good, and sign-ins are rationed
                reason = f"{self._config.service} gave no fresh token ({error})"
                raise SignInFailed(reason, retry_after_s=error.refusal.rest_s) from error
            self._session = {}
            self._sign_in()
        except (requests.RequestException, *MISREAD):
            self._session = {}
            self._sign_in()

    def _ask(self, method: str, nsid: str, token: str = "", **kwargs: Any) -> Any:
        response = self._http.request(
            method,
            f"{self._config.service.rstrip('/')}/xrpc/{nsid}",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=(CONNECT_TIMEOUT_S, self._config.timeout_s),
            **kwargs,
        )
        if not response.ok or response.is_redirect:
            raise XrpcError(response, self._now())
        return json_of(response)


def check_credentials(config: BlueskyConfig) -> str:
    """Sign in to our server, if there is an account to answer with; sign-ins are rationed."""
    if not config.identifier:
        return "read only: no credentials are set, none are needed"
    pds = Pds(config)
    try:
        return f"{config.service} knows {config.identifier} as {pds.did}"
    except (XrpcError, requests.RequestException) as error:
        raise PlatformError(
            f"{config.service} gave no clear answer ({type(error).__name__}): try again"
        ) from error
    finally:
        pds.close()
