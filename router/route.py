"""The shell of the stage: a batch of classified mentions becomes one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from secrets import randbelow

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from earshot.database import db
from earshot.database.db import Sessions
from earshot.domain import Classified
from earshot.items.lifecycle import Forbidden, Stale
from earshot.log.topics import Malformed
from earshot.runtime.crash_points import passed
from router.intake import store
from router.intake.fold import Undecidable
from router.policy.policy import Policy

log = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a batch is tried when another process was in its way."""


class Router:
    """Stores classified mentions and decides what becomes of them.

    Any part of a batch may be handled again, in any grouping: that changes nothing. Several
    processes may handle batches of one brand at once.
    """

    def __init__(
        self,
        sessions: Sessions,
        policies: Mapping[str, Policy],
        clock: Callable[[], datetime],
        draw: Callable[[int], int] = randbelow,
    ) -> None:
        self._sessions = sessions
        self._policies = policies
        self._clock = clock
        self._draw = draw

    def handle(self, batch: Sequence[Classified]) -> None:
        """Store `batch`, in order, in one transaction.

        Raises Malformed for a batch with a mention that can't be stored: one of a brand
        without a policy, one that can't be decided about, or one with a value that the
        database refuses.
        """
        for one in batch:
            if one.mention.brand not in self._policies:
                raise Malformed(
                    f"no routing policy for brand {one.mention.brand!r}; there is one for "
                    f"{', '.join(sorted(self._policies)) or 'none'}: write its routing.yaml"
                )
        for left in range(ATTEMPTS - 1, -1, -1):
            try:
                self._store(batch)
            except _REFUSED as error:
                raise Malformed(_refusal(error)) from error
            except (DBAPIError, Stale) as error:
                if not left or not _in_the_way(error):
                    raise
                log.info("batch tried again", extra={"count": len(batch), "left": left})
            else:
                return

    def _store(self, batch: Sequence[Classified]) -> None:
        with self._sessions.begin() as session:
            store.store(session, batch, self._policies, self._clock, self._draw)
            passed("route.writing")


_REFUSED = (Undecidable, Forbidden, DataError, OverflowError, UnicodeError)
"""What is wrong with a mention of the batch, and would be at each further attempt."""


def _refusal(error: Exception) -> str:
    """What is wrong with it, for the people who read the dead letter."""
    match error:
        case Forbidden():
            return f"what it asks of its item is not allowed: {error}"
        case DataError():
            return f"the database refuses a value: {error.orig}"
        case OverflowError() | UnicodeError():
            # of the driver, before the database has seen the value
            return f"the database can't hold a value: {error}"
        case _:
            return str(error)


def _in_the_way(error: Exception) -> bool:
    """Whether another process caused this: the next attempt sees what it did."""
    if isinstance(error, Stale | IntegrityError):
        return True
    return isinstance(error, DBAPIError) and db.in_the_way(error)
