"""Every responder through the conformance kit: each platform of the registry brings its world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collectors.contract.causes import RULES, Cause
from collectors.contract.platform import Action
from collectors.delivery.send_rules import ATTEMPTS
from collectors.platforms.registry import PLATFORMS
from tests.collectors.platforms import conformance_replies as kit
from tests.collectors.platforms.conformance_replies import ReplyWorld
from tests.collectors.platforms.kits import worlds

WORLDS: dict[str, Callable[[Path], ReplyWorld]] = worlds("REPLIES")
REFUSALS = [(key, cause) for key, world in WORLDS.items() for cause in world.refuses]  # type: ignore[attr-defined]  # of the class


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReplyWorld]:
    world = WORLDS[request.param](tmp_path)
    yield world
    world.close()


def test_every_platform_that_may_reply_is_tried() -> None:
    assert set(WORLDS) == {key for key, one in PLATFORMS.items() if Action.REPLY in one.can}


def test_a_reply_is_sent_once_and_found_by_its_name(world: ReplyWorld) -> None:
    kit.a_reply_is_sent_once_and_found_by_its_name(world)


def test_a_lost_answer_is_unknown_and_then_found_by_reading_back(world: ReplyWorld) -> None:
    kit.a_lost_answer_is_unknown_and_then_found_by_reading_back(world)


def test_a_lost_request_is_unknown_and_then_known_to_be_absent(world: ReplyWorld) -> None:
    kit.a_lost_request_is_unknown_and_then_known_to_be_absent(world)


def test_a_reply_that_stands_there_already_is_not_sent_again(world: ReplyWorld) -> None:
    kit.a_reply_that_stands_there_already_is_not_sent_again(world)


def test_the_longest_reply_is_taken_and_one_sign_more_is_refused_as_too_long(
    world: ReplyWorld,
) -> None:
    kit.the_longest_reply_is_taken_and_one_sign_more_is_refused_as_too_long(world)


def test_a_post_that_is_gone_stops_the_reply(world: ReplyWorld) -> None:
    kit.a_post_that_is_gone_stops_the_reply(world)


def test_a_locked_thread_refuses_for_good(world: ReplyWorld) -> None:
    kit.a_locked_thread_refuses_for_good(world)


def test_a_rate_limit_is_waited_for_as_long_as_the_platform_says(world: ReplyWorld) -> None:
    kit.a_rate_limit_is_waited_for_as_long_as_the_platform_says(world)


@pytest.mark.parametrize(("key", "cause"), REFUSALS)
def test_each_cause_is_told_and_tried_again_by_its_rule(
    key: str, cause: Cause, tmp_path: Path
) -> None:
    world = WORLDS[key](tmp_path)
    kit.each_cause_is_told_and_tried_again_by_its_rule(world, cause)
    world.close()


def test_a_limit_of_a_day_is_outlasted_by_the_attempts() -> None:
    wait_s = RULES[Cause.DAILY_LIMIT].wait_s
    assert wait_s is not None
    assert wait_s * (ATTEMPTS - 1) > 24 * 3600


def test_every_cause_has_its_rule_and_words_of_its_own() -> None:
    assert set(RULES) == set(Cause)
    assert len({rule.words for rule in RULES.values()}) == len(RULES)
