"""Every topic of the log, and the one type that each of them carries.

JSON by msgspec, straight to and from the frozen values of `earshot.domain`. Fields may be
added with a default; never renamed, retyped or removed (golden messages of every released
version are kept decodable by a test).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

import msgspec

from earshot.domain import Classified, Mention

T = TypeVar("T")


class Malformed(Exception):
    """The bytes are not a message of this topic's type."""


class Topic(Generic[T]):
    """A topic's name bound to its message type, with codec and key.

    Records of one key stay in order: a key names a conversation, so that an edit never
    overtakes its post.
    """

    def __init__(
        self,
        name: str,
        message: type[T],
        key: Callable[[T], str],
        collected_at: Callable[[T], datetime],
    ) -> None:
        self.name = name
        self.dead = f"{name}.dead"
        self.message = message
        self._key = key
        self.collected_at = collected_at
        self._decoder = msgspec.json.Decoder(message)
        self._encoder = msgspec.json.Encoder()

    def key(self, message: T) -> bytes:
        return self._key(message).encode()

    def encode(self, message: T) -> bytes:
        return self._encoder.encode(message)

    def decode(self, raw: bytes) -> T:
        """The message in `raw`. Raises Malformed, naming the path of what is wrong."""
        try:
            return self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Malformed(str(error)) from error


MENTIONS = Topic(
    "mentions",
    Mention,
    key=lambda m: f"{m.source}:{m.thread}",
    collected_at=lambda m: m.collected_at,
)
CLASSIFIED = Topic(
    "classified",
    Classified,
    key=lambda c: f"{c.mention.source}:{c.mention.thread}",
    collected_at=lambda c: c.mention.collected_at,
)
TOPICS: tuple[Topic[Mention] | Topic[Classified], ...] = (MENTIONS, CLASSIFIED)
