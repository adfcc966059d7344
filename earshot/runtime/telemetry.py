"""What a running role reports: its logs, and over HTTP its metrics and whether it is well."""

from __future__ import annotations

import errno
import json
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.exposition import CONTENT_TYPE_LATEST

from earshot.runtime.metrics import Metrics

logger = logging.getLogger(__name__)

Request = socket.socket | tuple[bytes, socket.socket]
"""What socketserver calls a request: of a TCP server, its connection."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the fields of `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | _extra(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class HumanLines(logging.Formatter):
    """One line for a person: time, role, message, and the fields of `extra` behind it."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = " ".join(f"{name}={value}" for name, value in _extra(record).items())
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        said = _on_one_line(f"{record.getMessage()} {fields}".rstrip())
        line = f"{at} {self._role:<8} {mark}{said}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _PLAIN}


def _on_one_line(said: str) -> str:
    """`said` with control characters written out: nobody can forge a line of the log."""
    if said.isprintable():
        return said
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in said
    )


OURS = ("bench", "classifier", "collectors", "dashboard", "earshot", "operations", "router")
"""Whose loggers follow the level. A library that narrates tells tokens and people's words."""


def set_up_logging(role: str, *, style: str, level: str) -> None:
    """Send all logs to standard error. Raises ValueError for an unknown level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if style == "json" else HumanLines(role))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in OURS:
        logging.getLogger(name).setLevel(root.level)
    root.setLevel(max(root.level, logging.WARNING))


class Probe:
    """Whether a role lives and is ready. It is ready after its first finished step."""

    def __init__(self, clock: Callable[[], float], *, stuck_after_s: float = 120.0) -> None:
        self._clock = clock
        self._stuck_after_s = stuck_after_s
        self._last = clock()
        self._ready = False

    def step_done(self) -> None:
        self._last = self._clock()
        self._ready = True

    def idle_s(self) -> float:
        """How many seconds ago the last step was finished, or the role began."""
        return self._clock() - self._last

    def alive(self) -> bool:
        """False when no step was finished for `stuck_after_s` seconds."""
        return self.idle_s() < self._stuck_after_s

    def ready(self) -> bool:
        return self._ready and self.alive()


CONNECTIONS = 64
"""How many connections the probes and metrics hold at once; the oldest makes room for another."""

CONNECTION_S = 5.0
"""How long one connection may take, from its first byte to the last of its answer."""

PORT_STEP = 10
"""There are fewer roles than this, so that the second process of one takes no other's port."""

PORTS = 20
"""How many processes of one role may be on one machine and still be found."""


class HealthServer:
    """`/healthz`, `/readyz` and `/metrics` of one role, served from a thread of its own."""

    def __init__(
        self,
        host: str,
        port: int,
        probe: Probe,
        metrics: Metrics,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/metrics":
                    self._answer(200, metrics.text(), CONTENT_TYPE_LATEST)
                elif self.path in ("/healthz", "/readyz"):
                    well = probe.alive() if self.path == "/healthz" else probe.ready()
                    self._answer(200 if well else 503, b"ok\n" if well else b"not ok\n")
                else:
                    self._answer(404, b"try /healthz, /readyz or /metrics\n")

            def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                logger.debug("probe", extra={"request": format % args})

        self._server = _listen(host, port, Handler, monotonic)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.1},
            name="health",
            daemon=True,
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    """A thread for each connection, and an end to each: no client holds one for long.

    A connection that is shut down reads as one that its client has closed, so its thread ends.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        monotonic: Callable[[], float],
    ) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._open: dict[socket.socket, float] = {}  # the oldest first
        super().__init__(address, handler)

    def process_request(self, request: Request, client_address: object) -> None:
        if isinstance(request, socket.socket):
            with self._lock:
                for oldest in list(self._open)[: max(0, len(self._open) + 1 - CONNECTIONS)]:
                    self._shut(oldest)
                self._open[request] = self._monotonic()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Request) -> None:
        if isinstance(request, socket.socket):
            with self._lock:
                self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Shut what took too long; the server's loop calls this several times a second."""
        ended = self._monotonic() - CONNECTION_S
        with self._lock:
            for connection in [one for one, since in self._open.items() if since <= ended]:
                self._shut(connection)

    def handle_error(self, request: Request, client_address: object) -> None:
        """Log what failed; of a client that went away or was shut, only for those who debug."""
        error = sys.exception()
        level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
        logger.log(level, "probe failed", extra={"reason": type(error).__name__})

    def _shut(self, connection: socket.socket) -> None:
        del self._open[connection]
        with suppress(OSError):  # the client has closed it already
            connection.shutdown(socket.SHUT_RDWR)


def _listen(
    host: str,
    port: int,
    handler: type[BaseHTTPRequestHandler],
    monotonic: Callable[[], float],
) -> ThreadingHTTPServer:
    """A server on `port`, or on the next free one in steps of ten, or on any: none dies of it.

    Two processes of one role on one machine are found where Prometheus looks for them.
    """
    steps = range(port, min(port + PORT_STEP * PORTS, 65_536), PORT_STEP) if port else ()
    for wanted in steps:
        try:
            return _Server((host, wanted), handler, monotonic)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                break
    server = _Server((host, 0), handler, monotonic)
    if port:
        at = server.server_address[1]
        logger.warning("no port for metrics is free, using any", extra={"wanted": port, "port": at})
    return server
