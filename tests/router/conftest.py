"""A database with the schema, and people who can answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from earshot.database import db
from earshot.database.db import Sessions
from earshot.database.tables import Table


@pytest.fixture
def sessions(database_url: str) -> Iterator[Sessions]:
    engine = db.connect(database_url)
    Table.metadata.create_all(engine)
    yield db.open_sessions(engine)
    engine.dispose()
