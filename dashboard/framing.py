"""How many of the bytes that have arrived make up one HTTP request. Pure.

gunicorn judges what a request says; this only finds its end, so that no thread has to wait for
the rest of it. What is malformed ends at once: gunicorn refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

HEAD_LIMIT = 64 * 1024
"""No header of a browser or a proxy is longer, in bytes; gunicorn refuses shorter ones, too."""

CHUNK_LINE_LIMIT = 4 * 1024
"""The longest line that says the size of a chunk, in bytes."""

_HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class End:
    """Where the request ends. `cut`: not all of it was taken, so nothing may follow it."""

    at: int
    cut: bool = False


@dataclass(slots=True)
class Framing:
    """Follows the input of a connection up to the end of its next request.

    A body of more than `body_limit` bytes is not waited for: the application refuses it by its
    header, or by what came of it.
    """

    body_limit: int
    wants_continue: bool = field(default=False, init=False)
    """Whether the client waits for `100 Continue` before it sends its body."""
    head_seen: bool = field(default=False, init=False)
    _searched: int = field(default=0, init=False)
    _end: End | None = field(default=None, init=False)
    _chunks_at: int | None = field(default=None, init=False)

    def find_end(self, data: bytearray) -> End | None:
        """The end of the request that `data` begins with; None while more of it must come.

        `data` is the same buffer at each call, longer each time.
        """
        if not self.head_seen:
            found = data.find(b"\r\n\r\n", max(0, self._searched - 3))
            self._searched = len(data)
            if found < 0:
                return End(len(data), cut=True) if len(data) > HEAD_LIMIT else None
            self.head_seen = True
            self._read_head(bytes(data[:found]), found + 4)
        if self._chunks_at is not None:
            return self._end_of_chunks(data)
        return self._end if self._end and len(data) >= self._end.at else None

    def _read_head(self, head: bytes, body_at: int) -> None:
        lengths: list[bytes] = []
        encodings: list[bytes] = []
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            said, header = value.strip(b" \t").lower(), name.lower()
            if header == b"content-length":
                lengths.append(said)
            elif header == b"transfer-encoding":
                encodings.append(said)
            elif header == b"expect":
                self.wants_continue |= said == b"100-continue"
        if not lengths and not encodings:
            self._end = End(body_at)
        elif encodings == [b"chunked"] and not lengths:
            self._chunks_at = body_at
        elif encodings or len(lengths) != 1 or not _is_number(lengths[0]):
            self._end = End(body_at, cut=True)
        else:
            length = int(lengths[0])
            over = length > self.body_limit
            self._end = End(body_at, cut=True) if over else End(body_at + length)

    def _end_of_chunks(self, data: bytearray) -> End | None:
        at = self._chunks_at or 0
        everything = End(len(data), cut=True)
        if len(data) > HEAD_LIMIT + 2 * self.body_limit:
            return everything
        while at < len(data):
            line_end = data.find(b"\r\n", at)
            if line_end < 0:
                return everything if len(data) - at > CHUNK_LINE_LIMIT else None
            size = bytes(data[at:line_end]).split(b";", 1)[0].rstrip(b" \t")
            if not size or len(size) > 8 or not _HEX.issuperset(size):  # noqa: PLR2004 -- 4 GiB
                return everything
            if int(size, 16) == 0:
                return _end_of_trailers(data, line_end + 2)
            at = line_end + 2 + int(size, 16) + 2
            if at <= len(data):
                self._chunks_at = at
        return None


def _end_of_trailers(data: bytearray, at: int) -> End | None:
    if data[at : at + 2] == b"\r\n":
        return End(at + 2)
    found = data.find(b"\r\n\r\n", at)
    if found >= 0:
        return End(found + 4)
    return End(len(data), cut=True) if len(data) - at > HEAD_LIMIT else None


def _is_number(value: bytes) -> bool:
    return value.isdigit() and len(value) < 20  # noqa: PLR2004 -- digits: far above any limit
