"""What happens in the world: the event at any index, computed from the seed alone.

Nothing is remembered between events, so a reader may start, stop and go back anywhere. The
indices stand in blocks. An event is a post, or else it is about a post of the block before:
the same post once more, an edit of it, or its deletion. What changes in a block is decided
for the whole block at once, so that nothing is edited after it was deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.dice import mix
from collectors.platforms.simulator.habits import OPENINGS, replies_to, topic_of
from collectors.platforms.simulator.people import TROLL, crowd
from collectors.platforms.simulator.phrases import TOPICAL, Kind, closings, edits, sentences
from earshot.domain import TOMBSTONE, Author, Op

BLOCK = 64
REACH = 64
"""How far back, in events, a reply finds its parent."""
SPIKE_EVERY, SPIKE_FIRST, SPIKE_LENGTH = 3000, 240, 120
"""In each 3000 events there is one outage, reported by most of 120 events in a row."""

_SPIKE_VOICES = 218  # of 256
_REPLIES = 64  # of 256
_NONE = -1


class Change(NamedTuple):
    """An event about an earlier post: `Op.CREATE` is the same post delivered again."""

    subject: int
    op: Op
    revision: int


class Said(NamedTuple):
    """One event, about the post of index `post`; `parent` and `root` are indices, -1 is none.

    `late_s` says how long before its turn the post was written.
    """

    post: int
    parent: int
    root: int
    author: Author
    lang: str
    kind: Kind
    topic: str
    text: str
    late_s: int
    op: Op = Op.CREATE
    revision: int = 0


class _Draft(NamedTuple):
    author: Author
    lang: str
    kind: Kind
    topic: str


class World:
    """The events of one part. `said(index)` is the same whenever and wherever it is asked."""

    def __init__(self, config: SimulatorConfig, part: int) -> None:
        self._salt = mix(config.seed * 1009 + part)
        self._crowds = {lang: crowd(config.seed, lang) for lang in config.languages}
        self._langs = _shares(config.languages)
        self._late = round(config.late * 256)
        self._duplicates = round(config.duplicate * 65536)
        self._edits = self._duplicates + round(config.edit * 65536)
        self._changes = self._edits + round(config.delete * 65536)
        # Readers go forwards and look back two blocks: a few are enough.
        self._bits = lru_cache(maxsize=8)(self._draw_bits)
        self._changed = lru_cache(maxsize=8)(self._draw_changes)

    def said(self, index: int) -> Said:
        """The event at `index`, from 0 on."""
        change = self._changed(index // BLOCK).get(index)
        if change is None:
            return self._post(index)
        return self._after(change)

    def standing(self, index: int, end: int) -> Said | None:
        """The post `index` as it is before event `end`; None: deleted, or no post yet."""
        if not (0 <= index < end and self._is_post(index)):
            return None
        said = self._post(index)
        for at, change in self._changed(index // BLOCK + 1).items():
            if change.subject != index or at >= end or change.op is Op.CREATE:
                continue
            if change.op is Op.DELETE:
                return None
            said = self._after(change)
        return said

    def below(self, index: int, end: int) -> Iterator[Said]:
        """The replies to `index` at every depth, as they are before event `end`, in order.

        The replies to a deleted reply stay, as on a platform.
        """
        found = {index}
        at = index + 1
        while at < min(end, max(found) + REACH + 1):
            if self._is_post(at) and self.parent(at) in found:
                found.add(at)
                said = self.standing(at, end)
                if said is not None:
                    yield said
            at += 1

    def locked(self, root: int) -> bool:
        """Whether the platform takes no replies in the thread that begins with `root`."""
        return self._hash(root) >> 48 & 0x3F == 0

    def parent(self, index: int) -> int:
        """The post that the post `index` replies to, or -1."""
        bits = self._hash(index)
        if self._in_spike(index, bits) or bits >> 16 & 0xFF >= _REPLIES:
            return _NONE
        # Half of all replies gather below every sixteenth event, so that some threads grow.
        at = (index - 1) & ~15 if bits >> 24 & 1 else index - 1 - (bits >> 25 & 31)
        while at >= 0 and not self._is_post(at):
            at -= 1
        return at if at >= max(0, index - REACH) else _NONE

    def root(self, index: int) -> int:
        """The first post of the thread that the post `index` is in."""
        while (parent := self.parent(index)) != _NONE:
            index = parent
        return index

    # ------------------------------------------------------------ chance

    def _hash(self, index: int) -> int:
        return self._bits(index // BLOCK)[index % BLOCK]

    def _draw_bits(self, block: int) -> Sequence[int]:
        first = self._salt + block * BLOCK
        return [mix(number) for number in range(first, first + BLOCK)]

    def _is_post(self, index: int) -> bool:
        # A block's first event is always a post: the next block has something to change.
        return index < BLOCK or index % BLOCK == 0 or self._hash(index) & 0xFFFF >= self._changes

    def _in_spike(self, index: int, bits: int) -> bool:
        return (
            0 <= index % SPIKE_EVERY - SPIKE_FIRST < SPIKE_LENGTH
            and bits >> 40 & 0xFF < _SPIKE_VOICES
        )

    def _draw_changes(self, block: int) -> Mapping[int, Change]:
        if block == 0:
            return {}
        first = block * BLOCK
        posts = [index for index in range(first - BLOCK, first) if self._is_post(index)]
        untouched = list(posts)
        edited: Change | None = None
        changes = {}
        for index in range(first, first + BLOCK):
            if self._is_post(index):
                continue
            bits = self._hash(index)
            draw, pick = bits & 0xFFFF, bits >> 16
            if draw < self._duplicates or not untouched:
                changes[index] = Change(posts[pick % len(posts)], Op.CREATE, 0)
                continue
            if edited is not None and pick & 3 == 0:
                subject, revision = edited.subject, edited.revision
            else:
                subject, revision = untouched.pop(pick % len(untouched)), 0
            if draw < self._edits:
                edited = changes[index] = Change(subject, Op.EDIT, revision + 1)
            else:
                changes[index] = Change(subject, Op.DELETE, TOMBSTONE)
                edited = None
        return changes

    # ------------------------------------------------------------ words

    def _draft(self, index: int, bits: int, words: int, root: int) -> _Draft:
        root_bits = self._hash(root)
        lang = self._langs[root_bits >> 56]
        theme = root_bits >> 32 & 0xFF
        opening = None
        if self._in_spike(index, bits):
            kind = Kind.SPIKE
        elif root == index:
            kind = OPENINGS[(words & 0xFFFF) % len(OPENINGS)]
        else:
            opening = self._draft(root, root_bits, mix(root_bits), root)
            wheel = replies_to(opening.kind)
            kind = wheel[(words & 0xFFFF) % len(wheel)]
        if kind is Kind.INSULT:
            author = TROLL
        elif opening is not None and kind is not Kind.ECHO and words >> 16 & 3 == 0:
            author = opening.author
        else:
            crowd = self._crowds[lang]
            # Squared: the first of the crowd write many times as often as the last.
            author = crowd[(words >> 16 & 0xFFFF) ** 2 * len(crowd) >> 32]
        return _Draft(author, lang, kind, topic_of(kind, theme))

    def _post(self, index: int) -> Said:
        bits = self._hash(index)
        words = mix(bits)
        parent = self.parent(index)
        root = index if parent == _NONE else self.root(parent)
        draft = self._draft(index, bits, words, root)
        kind, lang = draft.kind, draft.lang
        pool = sentences(lang, kind, draft.topic if kind in TOPICAL else "")
        ends = closings(lang, kind)
        text = pool[(words >> 32 & 0xFFFF) % len(pool)]
        if words >> 60 == 0 and kind is Kind.COMPLAINT:
            text = f"{text} {pool[(words >> 40 & 0xFFFF) % len(pool)]}"
        text += ends[(words >> 48 & 0xFF) % len(ends)]
        late_s = 0
        if parent == _NONE and bits >> 24 & 0xFF < self._late:
            late_s = 60 + (words >> 36 & 0x3FF)
        return Said(index, parent, root, draft.author, lang, kind, draft.topic, text, late_s)

    def _after(self, change: Change) -> Said:
        said = self._post(change.subject)
        if change.op is Op.CREATE:
            return said
        if change.op is Op.DELETE:
            return said._replace(op=change.op, revision=change.revision, text="")
        added = edits(said.lang)
        bits = self._hash(change.subject)
        tail = (added[mix(bits + n) % len(added)] for n in range(1, change.revision + 1))
        text = " ".join((said.text, *tail))
        return said._replace(op=change.op, revision=change.revision, text=text)


def _shares(weights: Mapping[str, float]) -> Sequence[str]:
    """256 places, given out by weight."""
    total = sum(weights.values())
    places: list[str] = []
    given = 0.0
    for lang, weight in weights.items():
        given += weight
        places.extend([lang] * (round(256 * given / total) - len(places)))
    return places
