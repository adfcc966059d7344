"""The desk as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.conftest import unavailable
from tests.dashboard.live_desk import ARGUMENTS, CHROMIUM
from tests.dashboard.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = make_world(tmp_path)
    yield made
    made.sessions.kw["bind"].dispose()


@pytest.fixture
def world_on_each_database(tmp_path: Path, database_url: str) -> Iterator[World]:
    """The desk on SQLite, then on PostgreSQL: a module whose SQL matters takes it as `world`."""
    made = make_world(tmp_path, url=database_url)
    yield made
    made.sessions.kw["bind"].dispose()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The Chromium of the system."""
    if not Path(CHROMIUM).exists():
        unavailable(f"{CHROMIUM} is missing; apt-get install chromium")
    expect.set_options(timeout=20_000)  # much is done at once on a small machine
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
