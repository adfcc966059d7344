"""When offers don't help an item, so that a listener should decide about it. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from router.assign.state import Escalate, Responder, Routes, Waiting, likely_fit, speaks

UNSERVED_AFTER = timedelta(minutes=10)
"""How long an item waits that nobody of its teams could ever answer: somebody may join them."""


@dataclass(frozen=True, slots=True)
class _Able:
    """Who of an item's teams could answer it, or what everybody lacks."""

    ids: frozenset[int]
    lacking: str


class Escalations:
    """Which of a brand's items are not helped by offers, and why. For one decision.

    Who could answer an item does not depend on who is there or free now. It is worked out
    once for all items that ask for the same.
    """

    def __init__(
        self, responders: Sequence[Responder], routes: Routes, min_fit: float = 0.0
    ) -> None:
        self._responders = responders
        self._routes = routes
        self._min_fit = min_fit
        self._known: dict[Hashable, _Able] = {}

    def of(self, item: Waiting, now: datetime) -> Escalate | None:
        """Why a listener should decide about `item`; None while it may still be offered.

        An item whose teams have no members waits for some.
        """
        reason = ""
        if item.offers >= self._routes.max_offers:
            reason = f"nobody took it after {item.offers} offers"
        else:
            able = self._able(item)
            if able.ids and able.ids <= item.excluded:
                reason = "everybody who could answer it gave it back"
            elif not able.ids and now - item.clock_started_at >= UNSERVED_AFTER:
                reason = able.lacking
        if not reason:
            return None
        return Escalate(item_id=item.id, version=item.version, reason=reason)

    def _able(self, item: Waiting) -> _Able:
        teams = self._routes.ever(item)
        unsure = 1 - item.topic_confidence
        key = (
            teams,
            item.lang,
            item.topic,
            1 - unsure / 2 >= self._min_fit,
            unsure / 2 >= self._min_fit,
        )
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._work_out(item, teams)
        return known

    def _work_out(self, item: Waiting, teams: frozenset[str]) -> _Able:
        members = [one for one in self._responders if one.teams & teams]
        able = [one for one in members if speaks(item, one)]
        where = " or ".join(sorted(teams))
        lacking = f"nobody in {where} answers in {item.lang}"
        if able:
            able = [one for one in able if likely_fit(item, one) >= self._min_fit]
            lacking = f"nobody in {where} has the skill for {item.topic}"
        return _Able(frozenset(one.id for one in able), lacking if members else "")
