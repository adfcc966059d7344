"""Services for all tests: a real Kafka, a real PostgreSQL, and databases on them.

A service is taken from `EARSHOT_TEST_KAFKA` (host:port) or `EARSHOT_TEST_POSTGRES` (an
SQLAlchemy URL) if given, else started when its programs are there. A test whose service is
missing is skipped with the reason; with `CI=true` it fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.services import kafka, postgres
from tests.services.sharing import shared

# A law holds or it doesn't, however busy the machine is.
settings.register_profile("earshot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("earshot")


def unavailable(reason: str) -> None:
    """Skip the test, or fail it where nothing may be missing."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"with CI=true no service may be missing: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Kafka, shared by all tests (and all workers of one run)."""
    given = os.environ.get("EARSHOT_TEST_KAFKA")
    if given:
        yield given
        return
    if kafka.missing():
        unavailable(kafka.missing())
    with shared("kafka", tmp_path_factory, kafka.Kafka) as bootstrap:
        yield bootstrap


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running PostgreSQL server, shared by all tests. Its role may make databases."""
    given = os.environ.get("EARSHOT_TEST_POSTGRES")
    if given:
        yield given
        return
    if postgres.missing():
        unavailable(postgres.missing())
    with shared("postgres", tmp_path_factory, postgres.Postgres) as url:
        yield url


@pytest.fixture
def new_postgres_database(postgres_url: str) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    with postgres.fresh_database(postgres_url) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new, empty database: a SQLite file, then a PostgreSQL database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'earshot.db'}"
        return
    yield request.getfixturevalue("new_postgres_database")
