"""When a source waits for the log, and what is said of how it fares."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from collectors.intake.health import HISTORY_SHARE, PartState, health_of, is_paused
from earshot.log.spool.spooling import Backlog
from tests.builders import NOON

WAITING = Backlog(1_234, 0.25, "nobody answers at k:9092")
SHARE = st.floats(0, 3)


def test_nobody_pauses_while_the_log_answers() -> None:
    assert not is_paused(None, keeps_history=True)
    assert not is_paused(None, keeps_history=False)


@given(SHARE)
def test_who_keeps_no_history_never_pauses_before_who_does(share: float) -> None:
    backlog = replace(WAITING, share=share)
    last, first = (is_paused(backlog, keeps_history=keeps) for keeps in (False, True))
    assert first >= last
    assert first == (share >= HISTORY_SHARE)
    assert last == (share >= 1)


def test_a_source_is_delayed_while_what_it_gave_waits_on_disk() -> None:
    parts = {"a": PartState(), "b": PartState()}
    assert health_of(parts, None, NOON, 5)["state"] == "ok"
    told = health_of(parts, WAITING, NOON, 5)
    assert told["state"] == "delayed"
    assert told["error"].startswith("1234 records wait on this machine's disk (25% of it)")
    assert "k:9092" in told["error"]
    assert told["next_poll_at"] == NOON + timedelta(seconds=5)


def test_a_failing_platform_is_told_before_a_log_that_is_away() -> None:
    part = PartState(failures=2, trouble="401 at x", permanent=True, failing_since=NOON)
    told = health_of({"a": part, "b": PartState()}, WAITING, NOON, 5)
    assert (told["state"], told["error"], told["failing_since"]) == ("stopped", "401 at x", NOON)
