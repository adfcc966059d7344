"""What the loopback platforms share: an HTTP server, a log of requests, and mishaps on order."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived: `form` holds a form body, `json` a JSON one."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Mishap:
    """Something that goes wrong with the next request whose path contains `path`.

    `reply` is answered instead of handling it. `lose` handles it and then cuts the
    connection; `reset` cuts it before; `hang` handles nothing and stays silent.
    """

    path: str = ""
    reply: Reply | None = None
    lose: bool = False
    reset: bool = False
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """The ground truth of one reply that was made through the API."""

    id: str
    text: str
    parent: str
    thread: str


class Loopback:
    """A platform on 127.0.0.1. A subclass holds the world and answers in `handle`.

    A context manager; `url` is its base address. `requests` is all that arrived, `posted`
    every reply made through the API, in order. World methods may be called from any thread.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.posted: list[Posted] = []
        self.lock = threading.RLock()
        self._mishaps: deque[Mishap] = deque()
        self._closing = threading.Event()
        self.connections: set[socket.socket] = set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def handle(self, request: Request) -> Reply:
        raise NotImplementedError

    def mishap(self, *mishaps: Mishap) -> None:
        """Let the next matching requests go wrong, in this order."""
        with self.lock:
            self._mishaps.extend(mishaps)

    def answer(self, request: Request) -> Reply | None:
        """The reply, or None where the connection is to be cut."""
        with self.lock:
            self.requests.append(request)
            mishap = next((m for m in self._mishaps if m.path in request.path), None)
            if mishap:
                self._mishaps.remove(mishap)
        if mishap and mishap.hang:
            self._closing.wait(30)
            return None
        if mishap and mishap.reset:
            return None
        if mishap and mishap.reply:
            return mishap.reply
        with self.lock:
            reply = self.handle(request)
        return None if mishap and mishap.lose else reply

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in tuple(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _handler(platform: Loopback) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: `requests` is the log."""

        def setup(self) -> None:
            super().setup()
            platform.connections.add(self.connection)

        def do(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            reply = platform.answer(request)
            with suppress(ConnectionError):
                if reply is None:
                    self.cut()
                else:
                    self.reply(reply)

        def cut(self) -> None:
            # Linger 0 makes the close a reset: the client can't take it for an answer.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def reply(self, reply: Reply) -> None:
            body = reply.encoded()
            self.send_response(reply.status)
            headers = {"Content-Type": "application/json", **reply.headers}
            for name, value in headers.items():
                self.send_header(name, value)
            if self.close_connection:  # as the client asked; it must be told that we did
                self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do  # noqa: N815 - the names that http.server calls

        def finish(self) -> None:
            platform.connections.discard(self.connection)
            with suppress(OSError, ValueError):
                super().finish()

    return Handler
