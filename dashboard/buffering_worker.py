"""A gunicorn worker that gives a request a thread only once all of it has arrived.

gunicorn's threaded worker reads a request in a thread and waits there as long as its client
likes: as many silent sockets as there are threads stop every page. Here the main loop collects
what arrives, a thread never waits for a client to send, and a client that does not read is left
after `SEND_S`. When there are too many connections, the one that has kept us waiting longest
makes room: no bound for each address is needed, which would hit everybody behind a proxy.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from dashboard.frame.security import BODY_LIMIT
from dashboard.framing import Framing

HEAD_S = 10.0
"""How long a whole header may take, from its first byte or from the connection's beginning."""

BODY_S = 20.0
"""How long a whole body may take, from the end of its header."""

SEND_S = 20.0
"""How long a client may take to read one piece of an answer; a live stream sends small ones."""

LINGER_S = 2.0
"""How long we read on after the last answer, so that the client gets all of it (RFC 9112, 9.6)."""

LINGER_BYTES = 2 * BODY_LIMIT

_READ_BYTES = 64 * 1024
_PASSING = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ECONNABORTED)
_NO_ROOM = (errno.EMFILE, errno.ENFILE)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ClientSocket(socket.socket):
    """A client's socket: sending to one that does not read ends after `send_s` seconds."""

    send_s = SEND_S

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        with self._in_time():
            super().sendall(data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        with self._in_time():
            return super().sendfile(file, offset, count)

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        self.settimeout(self.send_s)
        try:
            yield
        except TimeoutError as error:
            # as if it had gone: gunicorn knows that this is not our fault
            raise BrokenPipeError(errno.EPIPE, "the client does not read its answer") from error
        finally:
            if self.fileno() >= 0:
                self.settimeout(None)


@dataclass(slots=True, eq=False)
class Waiting:
    """A connection that no thread works for: idle, with a part of a request, or about to end."""

    until: float
    data: bytearray = field(default_factory=bytearray)
    framing: Framing = field(default_factory=lambda: Framing(BODY_LIMIT))
    answered: bool = False
    """Whether the last answer was given: what still comes is thrown away."""
    thrown_away: int = 0


class BufferingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's threaded worker, with all reading done in its main loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: dict[Any, Waiting] = {}  # the longest waiting first

    # ------------------------------------------------------------ arriving

    def accept(self, listener: Any) -> None:
        """Take a new connection; when there are too many, close the longest waiting one."""
        try:
            accepted, address = listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._make_room()
            elif error.errno not in _PASSING:
                raise
            return
        client = ClientSocket(fileno=accepted.detach())
        conn = TConn(self.cfg, client, address, listener.getsockname())
        conn.initialized = True
        conn.parser = http.get_parser(self.cfg, [], address)  # is given whole requests
        self.nr_conns += 1
        if self.nr_conns >= self.worker_connections:
            self._make_room()
        self._wait_for(conn, Waiting(time.monotonic() + HEAD_S))

    def _wait_for(self, conn: Any, waiting: Waiting) -> None:
        conn.sock.settimeout(0.0)
        self.waiting[conn] = waiting
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _on_readable(self, conn: Any, client: socket.socket) -> None:
        waiting = self.waiting.get(conn)
        if waiting is None:
            return  # it made room for another within this turn of the loop
        try:
            piece = client.recv(_READ_BYTES)
        except OSError as error:
            if error.errno not in _PASSING:
                self._drop(conn)
            return
        if not piece:
            self._drop(conn)
        elif waiting.answered:
            waiting.thrown_away += len(piece)
            if waiting.thrown_away > LINGER_BYTES:
                self._drop(conn)
        else:
            if not waiting.data:
                waiting.until = time.monotonic() + HEAD_S
            waiting.data += piece
            self._advance(conn, waiting)

    def _advance(self, conn: Any, waiting: Waiting) -> None:
        """Give the request a thread if it is whole."""
        framing = waiting.framing
        in_head = not framing.head_seen
        end = framing.find_end(waiting.data)
        if end is None:
            if in_head and framing.head_seen:
                waiting.until = time.monotonic() + BODY_S
                if framing.wants_continue:
                    _send_at_once(conn.sock, _CONTINUE)
            return
        self._leave(conn)
        conn.parser.unreader.unread(bytes(waiting.data[: end.at]))
        conn.rest = waiting.data[end.at :]
        conn.is_last = end.cut
        conn.data_ready = True
        self.enqueue_req(conn)

    # ------------------------------------------------------------ after an answer

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        return bool(super()._keepalive_after(conn, keepalive)) and not conn.is_last

    def finish_request(self, conn: Any, fs: Future[bool]) -> None:
        """Wait for the next request on the connection, or let it end."""
        kept = not fs.cancelled() and fs.exception() is None and fs.result()
        if conn.sock.fileno() < 0:  # gunicorn has closed it
            self.nr_conns -= 1
        elif kept:
            idle_s = self.cfg.keepalive if self.alive else min(self.cfg.keepalive, LINGER_S)
            waiting = Waiting(time.monotonic() + (HEAD_S if conn.rest else idle_s), conn.rest)
            self._wait_for(conn, waiting)
            if waiting.data:
                self._advance(conn, waiting)
        else:
            self._linger(conn)

    def _linger(self, conn: Any) -> None:
        """Say that no more comes, and close once the client has done so or `LINGER_S` are over."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        self._wait_for(conn, Waiting(time.monotonic() + LINGER_S, answered=True))

    # ------------------------------------------------------------ ending

    def murder_pending(self) -> None:
        """Close what has waited too long. gunicorn calls this at least once a second."""
        now = time.monotonic()
        for conn, waiting in list(self.waiting.items()):
            if waiting.until <= now:
                if waiting.data and not waiting.answered:
                    _send_at_once(conn.sock, _TOO_SLOW)
                self._drop(conn)

    def murder_keepalived(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 -- gunicorn's
        """Close every connection that waits, when the worker ends."""
        for conn in list(self.waiting) if force else ():
            self._drop(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        for waiting in self.waiting.values():
            waiting.until = min(waiting.until, deadline)

    def _make_room(self) -> None:
        longest = next(iter(self.waiting), None)
        if longest is not None:
            self._drop(longest)

    def _drop(self, conn: Any) -> None:
        self._leave(conn)
        self.nr_conns -= 1
        conn.close()

    def _leave(self, conn: Any) -> None:
        self.poller.unregister(conn.sock)
        del self.waiting[conn]


def _send_at_once(client: socket.socket, said: bytes) -> None:
    """Send a few bytes without waiting; a client that takes none now goes without them."""
    try:
        client.send(said)
    except OSError:
        return
