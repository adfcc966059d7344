"""The simulator for the conformance kit of responders: its store is the ground truth."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from collectors.contract.causes import Cause
from collectors.contract.source import Answer, Post, Responder
from collectors.platforms.simulator.config import REPLY_LENGTH, SimulatorConfig
from collectors.platforms.simulator.platform import RETRY_AFTER_S
from collectors.platforms.simulator.responder import SimulatorResponder
from collectors.platforms.simulator.source import Simulator
from earshot.domain import Op
from tests.builders import ManualClock


class SimulatorReplies:
    """A world that has happened. Its faults are chances: what is ordered happens for certain."""

    length = REPLY_LENGTH
    sign = "👨\u200d👩\u200d👧"
    refuses: Mapping[Cause, object] = {}

    def __init__(self, folder: Path) -> None:
        self._store = folder / "world.db"
        self._clock = ManualClock(datetime.now(UTC))
        self._config = SimulatorConfig(rate=0.0, count=400, follow_up=0.0)
        source = Simulator(self._config, self._store, self._clock)
        posts = source.poll("p0", None).posts
        source.close()
        changed = {post.native_id for post in posts if post.op is not Op.CREATE}
        self._gone = next(post for post in posts if post.op is Op.DELETE)
        written = [post for post in posts if post.native_id not in changed]
        self._locked = next(post for post in written if not post.can_reply)
        self._open = iter([post for post in written if post.can_reply])

    def responder(self) -> Responder:
        return SimulatorResponder(self._config, self._store, self._clock)

    def post(self, text: str = "Sorry, it works again.") -> Answer:
        return self._answer(next(self._open), text)

    def _answer(self, post: Post, text: str = "Sorry") -> Answer:
        now = self._clock()
        return Answer(
            key=post.native_id, parent=post.native_id, thread=post.thread, text=text, since=now
        )

    def posted(self) -> Sequence[str]:
        with closing(sqlite3.connect(self._store)) as truth:
            return [text for (text,) in truth.execute("SELECT text FROM reply")]

    def settle(self) -> None:
        self._clock.now += timedelta(seconds=self._config.late_visibility_s)

    def lose_answer(self) -> None:
        self._config = replace(self._config, lose_answer=1.0)

    def lose_request(self) -> None:
        self._config = replace(self._config, lose_request=1.0)

    def post_that_is_gone(self) -> Answer:
        return self._answer(self._gone)

    def post_that_is_locked(self) -> Answer:
        return self._answer(self._locked)

    def refuse(self, cause: Cause) -> None:
        raise AssertionError(f"the simulator can't be told to refuse for {cause}")

    def busy(self) -> float:
        self._config = replace(self._config, refuse=1.0)
        return RETRY_AFTER_S

    def close(self) -> None:
        """Each responder is closed by who made it."""


SOURCE, REPLIES = None, SimulatorReplies
