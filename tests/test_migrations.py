"""The schema's history: one line of revisions that ends at the tables of the code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from earshot.database import db, schema
from earshot.database.db import DatabaseError
from earshot.database.tables import Table


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = db.connect(database_url)
    yield made
    made.dispose()


def shape(engine: Engine) -> set[tuple[str, ...]]:
    """Every table's columns, and its indexes and constraints by name."""
    found: set[tuple[str, ...]] = set()
    inspector = inspect(engine)
    for table in inspector.get_table_names():
        found |= {
            (table, "column", c["name"], str(c["type"]), str(c["nullable"]))
            for c in inspector.get_columns(table)
        }
        found |= {(table, "index", str(i["name"])) for i in inspector.get_indexes(table)}
        unique = inspector.get_unique_constraints(table)
        found |= {(table, "unique", *map(str, u["column_names"])) for u in unique}
        foreign = inspector.get_foreign_keys(table)
        found |= {(table, "foreign", *map(str, f["constrained_columns"])) for f in foreign}
        key = inspector.get_pk_constraint(table)["constrained_columns"]
        found.add((table, "key", *map(str, key)))
    return found


def test_the_history_is_one_line_with_one_head() -> None:
    scripts = ScriptDirectory.from_config(schema.config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    names = [Path(s.path).name for s in reversed(list(scripts.walk_revisions()))]
    assert names == sorted(names)
    assert schema.newest() == scripts.get_current_head()


def test_up_down_and_up_again(engine: Engine) -> None:
    assert schema.current(engine) is None
    schema.upgrade(engine)
    assert schema.current(engine) == schema.newest()
    once = shape(engine)
    schema.downgrade(engine, "base")
    assert schema.current(engine) is None
    assert inspect(engine).get_table_names() == ["alembic_version"]
    schema.upgrade(engine)
    assert shape(engine) == once


def test_an_upgrade_of_what_is_up_to_date_changes_nothing(engine: Engine) -> None:
    schema.upgrade(engine)
    once = shape(engine)
    schema.upgrade(engine)
    assert shape(engine) == once


def test_the_migrated_schema_is_that_of_the_code(engine: Engine) -> None:
    schema.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, Table.metadata) == []


def test_a_migrated_database_looks_like_a_new_one(engine: Engine) -> None:
    schema.upgrade(engine)
    migrated = {line for line in shape(engine) if line[0] != "alembic_version"}
    schema.downgrade(engine, "base")
    Table.metadata.create_all(engine)
    assert migrated == {line for line in shape(engine) if line[0] != "alembic_version"}


def test_a_database_without_schema_is_refused_in_words(engine: Engine) -> None:
    with pytest.raises(DatabaseError, match=r"schema is at nothing, .* run `earshot db upgrade`"):
        schema.require(engine)
    schema.upgrade(engine)
    schema.require(engine)


def be_newer(engine: Engine, floor: str) -> None:
    """Have the database be of a version to come, which says who may still work on it."""
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
        connection.execute(text("update schema_floor set revision = :floor"), {"floor": floor})


def test_a_newer_schema_that_only_grew_is_used_as_it_is(engine: Engine) -> None:
    schema.upgrade(engine)
    be_newer(engine, floor=schema.newest())
    schema.require(engine)
    schema.upgrade(engine)
    schema.upgrade_before_deployment(engine)
    assert schema.current(engine) == "9999"


def test_a_newer_schema_that_has_shrunk_is_refused_in_words(engine: Engine) -> None:
    schema.upgrade(engine)
    be_newer(engine, floor="9998")
    with pytest.raises(DatabaseError, match="schema is at 9999, which no longer works"):
        schema.require(engine)
    with pytest.raises(DatabaseError, match="used by a newer version of Earshot"):
        schema.upgrade(engine)


def test_a_revision_that_does_not_exist_is_refused_in_words(engine: Engine) -> None:
    with pytest.raises(DatabaseError, match="can't be brought to 'nonsense'"):
        schema.upgrade(engine, "nonsense")
