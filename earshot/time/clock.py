"""The clock that all roles of an installation share, whatever their own machines believe.

Leases, settling times and deadlines are compared with times that another process has written.
A machine whose clock is an hour off must not end the lease of a sender that is at work.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

ASK_EVERY_S = 10.0
"""How long this machine is trusted to count seconds before the server is asked again."""

Clock = Callable[[], datetime]


def shared_clock(engine: Engine, own: Clock) -> Clock:
    """The clock of the database's server; `own` on SQLite, where all roles run on one machine."""
    return own if engine.dialect.name == "sqlite" else ServerClock(engine)


class ServerClock:
    """The time at the database's server, counted on between two questions to it.

    While the server does not answer, the last answer is counted on. Raises what the database
    raises when it never has answered.
    """

    def __init__(
        self,
        engine: Engine,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._monotonic = monotonic
        self._asked_at = 0.0
        self._known: tuple[float, datetime] | None = None

    def __call__(self) -> datetime:
        """The time now, aware and in UTC."""
        if self._known is None or self._monotonic() - self._asked_at > ASK_EVERY_S:
            self._ask()
        if self._known is None:
            raise RuntimeError("the server was asked and gave no time")
        counted_from, answered = self._known
        return answered + timedelta(seconds=self._monotonic() - counted_from)

    def _ask(self) -> None:
        self._asked_at = began = self._monotonic()
        try:
            with self._engine.connect() as connection:
                told: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        except DBAPIError:
            if self._known is None:
                raise
            return
        # the answer was true at some time between question and arrival
        self._known = ((began + self._monotonic()) / 2, told.astimezone(UTC))
