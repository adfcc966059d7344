"""Every source through the conformance kit: each platform of the registry brings its world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.collectors.platforms.conformance import (
    World,
    a_first_connection_takes_a_recent_stretch,
    nothing_is_lost,
    outrun_history_is_a_gap,
    polling_again_gives_the_same,
)
from tests.collectors.platforms.conformance_answers import (
    AnsweringWorld,
    any_answer_is_survived,
    replies,
)
from tests.collectors.platforms.damage import NO_HURRY
from tests.collectors.platforms.kits import worlds
from tests.collectors.platforms.loopback import Reply
from tests.rows import database

WORLDS: dict[str, Callable[[Path], World]] = worlds("SOURCE")
ANSWERING: dict[str, Callable[[Path], AnsweringWorld]] = {
    key: world for key, world in worlds("SOURCE").items() if hasattr(world, "answer_next")
}
SEEDS = range(8)


@pytest.fixture(params=sorted(WORLDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    world = WORLDS[request.param](tmp_path)
    yield world
    world.close()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_whatever_crashes(world: World, seed: int) -> None:
    nothing_is_lost(world, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_first_connection_takes_a_recent_stretch_and_the_rest_is_history(
    world: World, seed: int
) -> None:
    a_first_connection_takes_a_recent_stretch(world, seed)


def test_a_cursor_says_all_that_another_process_needs(world: World) -> None:
    polling_again_gives_the_same(world, seed=1)


def test_history_that_ran_out_is_a_gap_that_is_told_once(world: World) -> None:
    outrun_history_is_a_gap(world, seed=1)


@pytest.mark.parametrize("platform", sorted(ANSWERING))
def test_any_answer_is_survived_and_the_next_good_one_is_taken(
    platform: str, tmp_path: Path
) -> None:
    engine = database(f"sqlite:///{tmp_path / 'earshot.db'}")
    world = ANSWERING[platform](tmp_path)

    @given(replies())
    @settings(NO_HURRY, max_examples=60)
    def survive(reply: Reply) -> None:
        any_answer_is_survived(world, engine, reply)

    try:
        survive()
    finally:
        world.close()
        engine.dispose()
