"""Laws of routing decisions, for both policies; and what the greedy index prefers."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.assign.earliest_due import EarliestDue
from router.assign.greedy import SAFETY, GreedyIndex, Objective
from router.assign.state import (
    Escalate,
    Offer,
    Responder,
    Routes,
    RoutingPolicy,
    State,
    Step,
    Waiting,
)
from tests.builders import NOON
from tests.router.policies import a_policy

MINUTE = timedelta(minutes=1)
ROUTES = Routes(
    version="v1",
    calendars=a_policy().calendars,
    steps={"tech": (Step(after=0.5, teams=frozenset({"care"})),)},
    max_offers=3,
)
GREEDY = GreedyIndex(routes=ROUTES, objective=Objective())
EARLIEST = EarliestDue(routes=ROUTES)
BOTH = pytest.mark.parametrize("policy", [GREEDY, EARLIEST], ids=["greedy", "earliest_due"])
law = settings(deadline=None)  # the machine may be busy with others


def an_item(number: int = 1, **changes: Any) -> Waiting:
    """An item of the team care, due in an hour."""
    default = Waiting(
        id=number,
        version=1,
        team="care",
        topic="billing",
        topic_confidence=0.8,
        lang="en",
        weight=2,
        clock_started_at=NOON - 60 * MINUTE,
        due_at=NOON + 60 * MINUTE,
        target=120 * MINUTE,
        calendar="always",
    )
    return replace(default, **changes)


def a_responder(number: int = 1, **changes: Any) -> Responder:
    """Somebody of the team care who takes everything and has nothing to do."""
    default = Responder(id=number, teams=frozenset({"care"}), langs=frozenset(), skills={}, limit=1)
    return replace(default, **changes)


def offers(policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder]) -> list[Offer]:
    decisions = policy.decide(State(waiting=waiting, responders=roster), NOON)
    return [one for one in decisions if isinstance(one, Offer)]


def pairs(
    policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder]
) -> list[tuple[int, int]]:
    return [(offer.item_id, offer.person_id) for offer in offers(policy, waiting, roster)]


_teams = st.sampled_from(["care", "tech", "social"])
_langs = st.sampled_from(["en", "es", "und"])
_people = st.integers(1, 8)
_items = st.builds(
    an_item,
    st.integers(1, 40),
    team=_teams,
    lang=_langs,
    topic=st.sampled_from(["billing", "outage", ""]),
    topic_confidence=st.floats(0, 1),
    weight=st.floats(0.5, 24),
    clock_started_at=st.integers(-2000, 0).map(lambda n: NOON + n * MINUTE),
    due_at=st.one_of(
        st.none(),
        st.one_of(st.integers(-600, 6000), st.integers(0, 45)).map(lambda n: NOON + n * MINUTE),
    ),
    excluded=st.frozensets(_people, max_size=3),
    offers=st.integers(0, 3),
)
_responders = st.builds(
    a_responder,
    _people,
    teams=st.frozensets(_teams, max_size=2),
    langs=st.frozensets(st.sampled_from(["en", "es"]), max_size=2),
    skills=st.dictionaries(st.sampled_from(["billing", "outage"]), st.integers(1, 3)),
    limit=st.integers(1, 3),
    actionable=st.integers(0, 2),
    absence=st.sampled_from(["", "", "", "off duty"]),
)
waitings = st.lists(_items, max_size=12, unique_by=lambda item: item.id)
rosters = st.lists(_responders, max_size=6, unique_by=lambda responder: responder.id)


@BOTH
@law
@given(waitings, rosters)
def test_nobody_gets_more_than_their_places_and_no_item_goes_to_two(
    policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder]
) -> None:
    decisions = policy.decide(State(waiting=waiting, responders=roster), NOON)
    items = Counter(decision.item_id for decision in decisions)
    assert all(n == 1 for n in items.values())
    given_to = Counter(one.person_id for one in decisions if isinstance(one, Offer))
    places = {responder.id: responder.free for responder in roster}
    assert all(n <= places[person] for person, n in given_to.items())


@BOTH
@law
@given(waitings, rosters)
def test_only_those_who_can_answer_are_asked(
    policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder]
) -> None:
    items, people = {item.id: item for item in waiting}, {one.id: one for one in roster}
    for offer in offers(policy, waiting, roster):
        item, person = items[offer.item_id], people[offer.person_id]
        assert person.id not in item.excluded
        assert not person.absence
        assert item.lang == "und" or not person.langs or item.lang in person.langs
        assert person.teams & ROUTES.teams(item, NOON)
        assert item.offers < ROUTES.max_offers
        assert offer.version == item.version


@BOTH
@law
@given(waitings, rosters, st.randoms(use_true_random=False))
def test_the_order_of_items_and_roster_does_not_matter(
    policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder], random: Any
) -> None:
    shuffled = State(
        waiting=random.sample(waiting, len(waiting)), responders=random.sample(roster, len(roster))
    )
    assert policy.decide(shuffled, NOON) == policy.decide(
        State(waiting=waiting, responders=roster), NOON
    )


@BOTH
@law
@given(waitings, rosters)
def test_nobody_who_could_take_an_item_is_left_with_nothing(
    policy: RoutingPolicy, waiting: list[Waiting], roster: list[Responder]
) -> None:
    decisions = policy.decide(State(waiting=waiting, responders=roster), NOON)
    settled = {decision.item_id for decision in decisions}
    busy = Counter(one.person_id for one in decisions if isinstance(one, Offer))
    left = [replace(one, actionable=one.actionable + busy[one.id]) for one in roster]
    again = [item for item in waiting if item.id not in settled]
    assert offers(policy, again, left) == []


def test_the_more_urgent_item_is_offered_first() -> None:
    soon, later = an_item(1, due_at=NOON + 10 * MINUTE), an_item(2)
    assert pairs(GREEDY, [later, soon], [a_responder()]) == [(1, 1)]
    assert pairs(EARLIEST, [later, soon], [a_responder()]) == [(1, 1)]


def test_what_is_lost_already_waits_for_what_can_still_be_saved() -> None:
    lost, rescue = an_item(1, due_at=NOON - 200 * MINUTE), an_item(2, due_at=NOON + 15 * MINUTE)
    assert pairs(GREEDY, [lost, rescue], [a_responder()]) == [(2, 1)]
    # The plain policy serves the lost one first: that is the domino effect.
    assert pairs(EARLIEST, [lost, rescue], [a_responder()]) == [(1, 1)]


OLD = an_item(
    1, clock_started_at=NOON - timedelta(hours=12), due_at=NOON - timedelta(hours=11), weight=1
)


def test_what_has_waited_for_half_a_day_goes_before_what_is_in_no_hurry() -> None:
    later = an_item(2, due_at=NOON + timedelta(hours=3), weight=24)
    assert pairs(GREEDY, [OLD, later], [a_responder()]) == [(1, 1)]
    lost = an_item(3, due_at=NOON - 5 * MINUTE, weight=24)
    assert pairs(GREEDY, [OLD, lost], [a_responder()]) == [(1, 1)]


def test_what_has_waited_for_half_a_day_waits_for_what_is_urgent_and_can_still_be_kept() -> None:
    outages = [an_item(n, due_at=NOON + 15 * MINUTE, weight=8) for n in (2, 3, 4)]
    roster = [a_responder(n) for n in (1, 2, 3, 4)]
    assert {item for item, _ in pairs(GREEDY, [OLD, *outages], roster[:3])} == {2, 3, 4}
    assert {item for item, _ in pairs(GREEDY, [OLD, *outages], roster)} == {1, 2, 3, 4}


def test_old_history_that_nobody_promised_to_answer_goes_last() -> None:
    history = an_item(
        1, clock_started_at=NOON - timedelta(days=300), due_at=None, target=timedelta()
    )
    easy = an_item(2, due_at=NOON + timedelta(hours=4), weight=2)
    for policy in (GREEDY, EARLIEST):
        assert pairs(policy, [history, easy], [a_responder()]) == [(2, 1)]
        assert pairs(policy, [history], [a_responder()]) == [(1, 1)]


def _kept_in_time(item: Waiting, minutes: float) -> bool:
    """Whether the promise can still be kept, and not for much longer."""
    if item.due_at is None:
        return False
    slack = (item.due_at - NOON).total_seconds() - 60 * SAFETY * minutes
    return 0 <= slack <= GREEDY.objective.kappa.total_seconds()


@law
@given(waitings, rosters)
def test_nobody_is_given_what_waited_longest_while_something_urgent_can_be_kept_by_them(
    waiting: list[Waiting], roster: list[Responder]
) -> None:
    decisions = GREEDY.decide(State(waiting=waiting, responders=roster), NOON)
    items, people = {item.id: item for item in waiting}, {one.id: one for one in roster}
    settled = {decision.item_id for decision in decisions}
    for offer in decisions:
        if not isinstance(offer, Offer) or not offer.explain["winner"]["starved"]:
            continue
        starved = items[offer.item_id]
        assert NOON - starved.clock_started_at >= GREEDY.objective.max_age
        assert not _kept_in_time(starved, offer.explain["winner"]["minutes"])
        person = replace(people[offer.person_id], actionable=0)
        for item in waiting:
            alone = offers(GREEDY, [item], [person])
            left = item.id not in settled and alone
            assert not (left and _kept_in_time(item, alone[0].explain["winner"]["minutes"]))


@law
@given(waitings, rosters)
def test_only_a_promise_can_starve(waiting: list[Waiting], roster: list[Responder]) -> None:
    items = {item.id: item for item in waiting}
    for offer in offers(GREEDY, waiting, roster):
        if offer.explain["winner"]["starved"]:
            assert items[offer.item_id].due_at is not None


def test_items_that_nobody_free_may_take_hide_none_that_somebody_may() -> None:
    """Two hundred urgent items in French, and one in English for the only person who is free."""
    french = [an_item(n, lang="fr", due_at=NOON + 10 * MINUTE) for n in range(1, 301)]
    english = an_item(999, due_at=NOON + timedelta(hours=5))
    speaker = a_responder(langs=frozenset({"en"}))
    assert pairs(GREEDY, [*french, english], [speaker]) == [(999, 1)]
    given_back = [replace(item, lang="en", excluded=frozenset({1})) for item in french]
    absent = a_responder(2, absence="off duty")
    assert pairs(GREEDY, [*given_back, english], [speaker, absent]) == [(999, 1)]


def test_an_item_goes_to_whom_it_fits_best() -> None:
    novice = a_responder(1, skills={"outage": 3})
    expert = a_responder(2, skills={"billing": 3})
    assert pairs(GREEDY, [an_item()], [novice, expert]) == [(1, 2)]


def test_who_probably_lacks_the_skill_can_be_left_out() -> None:
    strict = GreedyIndex(routes=ROUTES, objective=Objective(min_fit=0.25))
    novice = a_responder(1, skills={"outage": 3})
    assert pairs(strict, [an_item()], [novice]) == []
    assert pairs(strict, [an_item(topic_confidence=0.4)], [novice]) == [(1, 1)]


def test_other_teams_may_answer_once_half_the_time_is_gone() -> None:
    care, fresh = a_responder(1), an_item(1, team="tech", clock_started_at=NOON - 59 * MINUTE)
    assert pairs(GREEDY, [fresh], [care]) == []
    late = replace(fresh, clock_started_at=NOON - 60 * MINUTE)
    assert pairs(GREEDY, [late], [care]) == [(1, 1)]


def test_equal_colleagues_share_the_work() -> None:
    roster = [a_responder(1), a_responder(2)]
    first = Counter(pairs(GREEDY, [an_item(n)], roster)[0][1] for n in range(1, 101))
    assert min(first[1], first[2]) > 30


@BOTH
def test_an_item_that_nobody_takes_goes_to_a_listener(policy: RoutingPolicy) -> None:
    too_often = an_item(1, offers=3)
    given_back = an_item(2, excluded=frozenset({1, 2}))
    roster = [a_responder(1), a_responder(2, absence="off duty")]
    decisions = policy.decide(State(waiting=[too_often, given_back], responders=roster), NOON)
    assert sorted((one.item_id, type(one)) for one in decisions) == [(1, Escalate), (2, Escalate)]
    reasons = {one.item_id: one.reason for one in decisions if isinstance(one, Escalate)}
    assert reasons[1] == "nobody took it after 3 offers"
    assert reasons[2] == "everybody who could answer it gave it back"


def test_an_offer_says_why_this_responder_and_not_the_others() -> None:
    roster = [
        a_responder(1, skills={"billing": 3}),
        a_responder(2, skills={"billing": 1}),
        a_responder(3, actionable=1),
        a_responder(4, langs=frozenset({"es"})),
        a_responder(5, teams=frozenset({"social"})),
        a_responder(6, absence="off duty"),
    ]
    explain = offers(GREEDY, [an_item(excluded=frozenset({7}))], [*roster, a_responder(7)])[
        0
    ].explain
    assert (explain["policy"], explain["winner"]["person"]) == ("v1", 1)
    assert explain["runner_up"]["person"] == 2
    assert explain["winner"]["index"] > explain["runner_up"]["index"]
    assert explain["not_considered"] == {
        "3": "has work to do",
        "4": "does not speak the language",
        "5": "not in the team",
        "6": "off duty",
        "7": "gave it back",
    }
