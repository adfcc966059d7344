"""Many messages in one record of Kafka, where that is wanted, and the offsets of both forms.

A topic is plain unless the setting `log.messages_per_record` is above 1: one message a record,
with its key, value and headers, for any program to read. Packing saves the client and the broker
most of their work for each message. Both forms are always read, mixed as they come.

A pack is a record with the header `earshot-pack`, its text `1/COUNT`, and as its value the
MessagePack array of its messages, each `[key, value, headers or nil]`. A record without that
header is one message as it is, whoever wrote it.

The log's offset of a message is Kafka's offset of its record times 1024 plus the message's
place in it: unique and ascending within a partition, and 64 bits hold it for ever. It is stored
(with dead letters, in marks), so a message of a plain topic has it too, at the place 0. What
people are shown is Kafka's own: `place_of`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from earshot.log.contract import Record

Message = tuple[bytes, bytes, dict[str, str] | None]
"""Key, value and headers (None: there are none)."""

HEADER = "earshot-pack"

PACK_MESSAGES = 64
"""The most that are worth packing: twice as many save no more than a tenth of a µs each."""

PACK_BYTES = 128 * 1024
"""A pack is full before it exceeds this. A message that is larger by itself travels alone."""

_PLACES = 1024
_FORMAT = b"1"
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Message])


def pack(messages: Sequence[Message]) -> tuple[bytes, list[tuple[str, bytes]]]:
    """Value and headers of the record that holds these messages, in their order."""
    return _encoder.encode(messages), [(HEADER, b"%s/%d" % (_FORMAT, len(messages)))]


def offset_of(kafka_offset: int, place: int = 0) -> int:
    """The log's offset of the message at `place` in Kafka's record at `kafka_offset`."""
    return kafka_offset * _PLACES + place


def place_of(offset: int) -> tuple[int, int]:
    """Kafka's offset, and the place in its record, of the log's `offset`."""
    return divmod(offset, _PLACES)


def is_kafkas(identity: str) -> bool:
    """Whether this identity of a topic (`Log.identity`) is one of Kafka's: a UUID, or none given.

    Topics in files have 32 hex digits without a dash.
    """
    return "-" in identity or identity == "None"


def count(headers: Sequence[tuple[str, bytes | None]]) -> int:
    """How many messages a record with these headers holds: 1 unless it says that it is a pack."""
    for name, value in headers:
        if name == HEADER and value:
            kind, _, number = value.partition(b"/")
            if kind == _FORMAT and number.isdigit() and len(number) <= len(str(_PLACES)):
                return min(int(number), _PLACES)
    return 1


def unpack(raw: Any) -> list[Record]:
    """The messages of one record of Kafka, at least one, each with the log's offset.

    What calls itself a pack and is none is one message, as it is: whoever decodes its
    value will refuse it.
    """
    start = offset_of(raw.offset)
    topic, partition = raw.topic, raw.partition
    if raw.headers and any(name == HEADER for name, _ in raw.headers):
        try:
            messages = _decoder.decode(raw.value or b"")
        except (msgspec.DecodeError, UnicodeDecodeError):
            messages = []
        if 0 < len(messages) <= _PLACES:
            return [
                Record(topic, partition, offset, key, value, headers or {})
                for offset, (key, value, headers) in enumerate(messages, start)
            ]
    return [Record(topic, partition, start, raw.key or b"", raw.value or b"", _texts(raw.headers))]


def _texts(headers: Sequence[tuple[str, bytes | None]]) -> Mapping[str, str]:
    return {name: (value or b"").decode(errors="replace") for name, value in headers}
