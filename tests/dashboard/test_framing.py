"""Where a request ends, found in whatever pieces it arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.framing import CHUNK_LINE_LIMIT, HEAD_LIMIT, End, Framing

LIMIT = 1_000
GET = b"GET /login HTTP/1.1\r\nHost: x\r\n\r\n"


def post(body: bytes, *, head: bytes = b"") -> bytes:
    length = str(len(body)).encode()
    return b"POST /login HTTP/1.1\r\nContent-Length: " + length + b"\r\n" + head + b"\r\n" + body


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    framed = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return (
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + framed
        + b"0\r\n"
        + trailers
        + b"\r\n"
    )


REQUESTS = st.one_of(
    st.just(GET),
    st.binary(max_size=60).map(post),
    st.lists(st.binary(max_size=20), max_size=4).map(lambda pieces: chunked(*pieces)),
    st.lists(st.binary(max_size=9), max_size=2).map(lambda p: chunked(*p, trailers=b"a: b\r\n")),
)


@given(request=REQUESTS, rest=st.binary(max_size=20), cuts=st.lists(st.integers(0, 200)))
def test_a_request_ends_at_its_end_however_it_is_cut(
    request: bytes, rest: bytes, cuts: list[int]
) -> None:
    framing, data, end = Framing(LIMIT), bytearray(), None
    sent = request + rest
    for upto in sorted({min(cut, len(sent)) for cut in cuts} | {len(sent)}):
        data += sent[len(data) : upto]
        end = framing.find_end(data)
        assert (end is not None) == (upto >= len(request))
        if end is not None:
            break
    assert end == End(len(request))


def test_a_body_that_is_too_large_is_not_waited_for() -> None:
    whole = post(b"x" * (LIMIT + 1))
    head = whole.index(b"\r\n\r\n") + 4
    assert Framing(LIMIT).find_end(bytearray(whole[:head])) == End(head, cut=True)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 99999999999999999999999999\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_a_header_of_two_meanings_ends_the_request_and_the_connection(headers: bytes) -> None:
    sent = b"POST / HTTP/1.1\r\n" + headers + b"\r\n"
    assert Framing(LIMIT).find_end(bytearray(sent + b"hello")) == End(len(sent), cut=True)


@pytest.mark.parametrize(
    "sent",
    [
        b"x" * (HEAD_LIMIT + 1),
        chunked().removesuffix(b"0\r\n\r\n") + b"1" * (CHUNK_LINE_LIMIT + 1),
        chunked().removesuffix(b"0\r\n\r\n") + b"+5\r\nhello\r\n",
        chunked().removesuffix(b"\r\n") + b"a: b\r\n" * HEAD_LIMIT,
        chunked(b"x" * (2 * LIMIT + HEAD_LIMIT + 1)).removesuffix(b"0\r\n\r\n"),
    ],
)
def test_what_never_ends_is_cut(sent: bytes) -> None:
    assert Framing(LIMIT).find_end(bytearray(sent)) == End(len(sent), cut=True)


def test_a_client_that_waits_to_be_told_to_go_on_is_seen() -> None:
    framing = Framing(LIMIT)
    whole = post(b"hello", head=b"Expect: 100-continue\r\n")
    assert framing.find_end(bytearray(whole[:-5])) is None
    assert framing.wants_continue
