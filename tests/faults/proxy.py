"""A TCP proxy that can be told to misbehave: slow, throttled, cut off, or half open.

It stands between the roles and one port of a broker or a database. Threads, and nothing but
sockets: what passes through is never looked at.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from tests.services.ports import HOST

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time to linger: closing sends a reset, not an end."""


@dataclass(eq=False)
class _Pair:
    """A connection through the proxy: the client's end and the server's."""

    client: socket.socket
    server: socket.socket
    silent: threading.Event = field(default_factory=threading.Event)
    ended: int = 0
    """How many of the two directions have come to an end."""

    def reset(self) -> None:
        for end in (self.client, self.server):
            _reset(end)


class Proxy:
    """Listens on a port of its own and carries bytes to and from `target` on this machine.

    `delay_s` is added before each chunk is passed on, and `bytes_per_s` bounds each direction
    of each connection (0: no bound). Both may be set at any time.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay_s = 0.0
        self.bytes_per_s = 0.0
        self._closed = False
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._silent: set[_Pair] = set()
        self._listener = socket.create_server((HOST, 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, name=f"proxy-{self.port}", daemon=True).start()

    def reset(self) -> int:
        """Cut off every connection with a reset; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            pair.reset()
        return len(pairs)

    def half_open(self) -> int:
        """End every connection at the server's side; the client's stays, and falls silent.

        Clients see what they see when a machine is gone: nothing. Bytes they send are taken.
        New connections pass. Returns how many fell silent.
        """
        with self._lock:
            pairs, self._pairs = self._pairs, set()
            self._silent |= pairs
        for pair in pairs:
            pair.silent.set()
            _reset(pair.server)
        return len(pairs)

    def close(self) -> None:
        self._closed = True
        _reset(self._listener)
        self.reset()
        for pair in self._silent:
            pair.reset()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self.target), timeout=5)
            except OSError:
                _reset(client)  # as a port that nobody listens on would answer
                continue
            for end in (client, server):
                end.settimeout(None)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = _Pair(client, server)
            with self._lock:
                self._pairs.add(pair)
            for come, go in ((client, server), (server, client)):
                threading.Thread(target=self._carry, args=(pair, come, go), daemon=True).start()

    def _carry(self, pair: _Pair, come: socket.socket, go: socket.socket) -> None:
        try:
            while chunk := come.recv(_CHUNK):
                rest = self.delay_s + (len(chunk) / self.bytes_per_s if self.bytes_per_s else 0.0)
                if rest:
                    time.sleep(rest)
                if not pair.silent.is_set():
                    go.sendall(chunk)
            if not pair.silent.is_set():
                go.shutdown(socket.SHUT_WR)
        except OSError:
            if not pair.silent.is_set():
                pair.reset()
        with self._lock:
            pair.ended += 1
            if pair.ended == len((pair.client, pair.server)):
                self._pairs.discard(pair)
                pair.reset()


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
