"""What HTTP failures prove, and how long a platform asks us to wait."""

from __future__ import annotations

import socket
from datetime import timedelta

import pytest
import requests

from collectors.contract.transport import RelayAdapter, never_sent, retry_after_s
from tests.builders import NOON
from tests.collectors.platforms.loopback import Loopback, Mishap, Reply, Request


class Echo(Loopback):
    """Answers everything with its path and query."""

    def handle(self, request: Request) -> Reply:
        return Reply(200, {"path": request.path, "query": dict(request.query)})


def session(endpoint: str, timeout_s: float = 0.2) -> requests.Session:
    session = requests.Session()
    session.mount("https://", RelayAdapter(endpoint, timeout_s))
    return session


def test_requests_go_to_the_endpoint_with_path_and_query_kept() -> None:
    with Echo() as server, session(server.url) as client:
        answer = client.get("https://api.example.org/2/a", params={"q": "b c"}).json()
    assert answer == {"path": "/2/a", "query": {"q": "b c"}}


def test_a_request_without_a_timeout_gets_one() -> None:
    with Echo() as server, session(server.url, 0.1) as client:
        server.mishap(Mishap(hang=True))
        with pytest.raises(requests.ReadTimeout) as caught:
            client.get("https://api.example.org/")
    assert not never_sent(caught.value)


def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (
        session(f"http://127.0.0.1:{port}") as client,
        pytest.raises(requests.ConnectionError) as caught,
    ):
        client.post("https://api.example.org/")
    assert never_sent(caught.value)


def test_a_reset_after_sending_proves_nothing() -> None:
    with Echo() as server, session(server.url) as client:
        server.mishap(Mishap(reset=True))
        with pytest.raises(requests.ConnectionError) as caught:
            client.post("https://api.example.org/", data=b"hello")
    assert not never_sent(caught.value)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "0"}, 1.0),
        ({"retry-after": "Mon, 02 Mar 2026 12:00:10 GMT"}, 10.0),
        ({"retry-after": "soon"}, None),
        ({"reset": str((NOON + timedelta(seconds=9)).timestamp())}, 9.0),
        ({"reset": str((NOON - timedelta(days=1)).timestamp())}, None),
        ({"reset": "1e400"}, None),
        ({"retry-after": "5", "reset": "0"}, 5.0),
    ],
)
def test_the_wait_is_read_from_either_header(headers: dict[str, str], wait_s: float | None) -> None:
    assert retry_after_s(headers, NOON, "reset") == wait_s
