"""Clients that never finish what they began, against the desk as its operator runs it."""

from __future__ import annotations

import http.client
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

import pytest

from dashboard.buffering_worker import HEAD_S, ClientSocket
from dashboard.serve import CONNECTIONS_WAITING
from tests.dashboard.desk_process import DeskProcess, desk_process

SOCKETS = 400
THREADS = 64
PROMISED_S = 1.0
"""How soon a page answers, whatever others do."""

HEAD = b"POST /login HTTP/1.1\r\nHost: desk\r\nContent-Type: application/x-www-form-urlencoded\r\n"
IN_BODY = HEAD + b"Content-Length: 1000\r\n\r\nemail="
IN_CHUNK = HEAD + b"Transfer-Encoding: chunked\r\n\r\n400\r\nemail="
WHOLE = b"GET /login HTTP/1.1\r\nHost: desk\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskProcess]:
    with desk_process(tmp_path_factory.mktemp("desk"), THREADS) as made:
        yield made


def connect(desk: DeskProcess, opening: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", desk.port), timeout=30)
    line.sendall(opening)
    return line


@contextmanager
def crowd(
    desk: DeskProcess, opening: bytes, drip: bytes = b"", count: int = SOCKETS
) -> Iterator[None]:
    """So many sockets that begin with `opening`, and send `drip` every two seconds."""
    over = threading.Event()
    with ExitStack() as stack:
        lines = [stack.enter_context(connect(desk, opening)) for _ in range(count)]

        def trickle() -> None:
            while drip and not over.wait(2.0):
                for line in lines:
                    try:
                        line.sendall(drip)
                    except OSError:
                        continue  # the desk has closed it, which is what it should do

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def seconds_for_a_page(desk: DeskProcess) -> float:
    began = time.monotonic()
    line = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=20)
    try:
        line.request("GET", "/login")
        with line.getresponse() as answer:
            assert answer.status == HTTPStatus.OK
            answer.read()
    finally:
        line.close()
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("opening", "drip"),
    [
        (b"", b""),
        (HEAD, b""),
        (HEAD, b"x"),
        (IN_BODY, b""),
        (IN_BODY, b"x"),
        (IN_CHUNK, b"x"),
        (WHOLE, b""),
    ],
    ids=[
        "who say nothing",
        "silent amid the header",
        "who drip a header",
        "silent amid the body",
        "who drip a body",
        "who drip a chunk",
        "who don't hang up",
    ],
)
def test_pages_answer_within_a_second_beside_400_clients(
    desk: DeskProcess, opening: bytes, drip: bytes
) -> None:
    with crowd(desk, opening, drip):
        took = []
        for _ in range(5):
            took.append(seconds_for_a_page(desk))
            time.sleep(0.5)
    assert statistics.median(took) < PROMISED_S, took


def test_more_silent_clients_than_fit_make_room_for_pages(desk: DeskProcess) -> None:
    with crowd(desk, HEAD, count=THREADS + CONNECTIONS_WAITING + 100):
        took = [seconds_for_a_page(desk) for _ in range(5)]
    assert statistics.median(took) < PROMISED_S, took


def test_a_client_that_does_not_read_its_answer_is_left() -> None:
    ours, theirs = socket.socketpair()
    with ClientSocket(fileno=ours.detach()) as client, theirs:
        client.send_s = 0.1
        client.sendall(b"it fits")
        with pytest.raises(BrokenPipeError, match="does not read"):
            client.sendall(b"x" * 10_000_000)


def wait_until_closed(line: socket.socket) -> tuple[float, bytes]:
    began, said = time.monotonic(), b""
    while piece := line.recv(1_000):
        said += piece
    return time.monotonic() - began, said


def test_a_header_that_drips_is_given_up_as_a_whole(desk: DeskProcess) -> None:
    over = threading.Event()
    with connect(desk, HEAD) as line:

        def trickle() -> None:
            while not over.wait(0.5):
                try:
                    line.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=trickle)
        thread.start()
        try:
            took, said = wait_until_closed(line)
        finally:
            over.set()
            thread.join()
    assert took < HEAD_S + 5
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_form_that_arrives_in_pieces_is_read_whole(desk: DeskProcess) -> None:
    with connect(desk, HEAD + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n") as line:
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"email")
        time.sleep(0.2)
        line.sendall(b"=mia")
        said = b""
        while statuses(said) in ([], [100]):  # gunicorn says it again, which HTTP allows
            said += line.recv(10_000)
    assert statuses(said)[-1] == HTTPStatus.BAD_REQUEST  # a form without its token


def test_requests_sent_in_one_go_are_answered_in_order_and_a_cut_one_ends_them(
    desk: DeskProcess,
) -> None:
    again = b"GET /login HTTP/1.1\r\nHost: desk\r\n\r\n"
    too_large = HEAD + b"Content-Length: 9999999\r\n\r\n" + again
    with connect(desk, again + again + too_large) as line:
        _, said = wait_until_closed(line)
    assert statuses(said) == [200, 200, 413]


def statuses(said: bytes) -> list[int]:
    found = [part[1:4] for part in said.split(b"HTTP/1.1")[1:]]
    return [int(status) for status in found]
