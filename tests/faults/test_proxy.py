"""The proxy of the fault runs: what it carries, and how it misbehaves."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy
from tests.services.ports import HOST


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that answers with what it is sent."""
    listener = socket.create_server((HOST, 0))

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while data := connection.recv(65_536):
                connection.sendall(data)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield int(listener.getsockname()[1])
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    made = Proxy(echo)
    yield made
    made.close()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=10)


def ask(client: socket.socket, words: bytes) -> bytes:
    client.sendall(words)
    answer = b""
    while len(answer) < len(words):
        more = client.recv(65_536)
        if not more:
            raise ConnectionError("it was closed")
        answer += more
    return answer


def test_what_is_sent_comes_through_both_ways_in_order(proxy: Proxy) -> None:
    words = bytes(range(256)) * 4_000
    with connect(proxy) as client:
        sender = threading.Thread(target=client.sendall, args=(words,))
        sender.start()
        answer = b""
        while len(answer) < len(words):
            answer += client.recv(65_536)
        sender.join()
    assert answer == words


def test_the_end_of_a_stream_is_carried_too(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while more := client.recv(100):
            answer += more
    assert answer == b"last words"


def test_a_delay_holds_each_way_up(proxy: Proxy) -> None:
    proxy.delay_s = 0.2
    with connect(proxy) as client:
        began = time.monotonic()
        assert ask(client, b"hello") == b"hello"
        assert time.monotonic() - began >= 0.4


def test_a_throttled_connection_is_slow(proxy: Proxy) -> None:
    proxy.bytes_per_s = 10_000
    with connect(proxy) as client:
        began = time.monotonic()
        assert ask(client, b"x" * 2_000) == b"x" * 2_000
        assert time.monotonic() - began >= 0.4


def test_a_reset_ends_every_connection_and_lets_new_ones_in(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"
        assert proxy.reset() == 1
        with pytest.raises(ConnectionError):
            ask(client, b"are you there?")
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"


def test_half_open_connections_fall_silent_and_new_ones_pass(proxy: Proxy) -> None:
    with connect(proxy) as client:
        assert ask(client, b"hello") == b"hello"
        assert proxy.half_open() == 1
        client.sendall(b"are you there?")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(10)
        with connect(proxy) as other:
            assert ask(other, b"hello") == b"hello"


def test_a_server_that_is_gone_is_refused_through_the_proxy_too() -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
    proxy = Proxy(port)
    with contextlib.suppress(ConnectionError), connect(proxy) as client:
        assert client.recv(10) == b""
    proxy.close()
