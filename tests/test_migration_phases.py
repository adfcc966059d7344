"""A schema grows while the version before it runs, and shrinks only when that is gone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, func, inspect, select, text

from earshot.database import db, schema
from earshot.database.db import DatabaseError
from earshot.database.schema import Phase, Revision
from earshot.database.tables import MentionRow
from operations.cli import main
from tests.migration_rules import unsafe
from tests.operations.test_cli import bare
from tests.system import ROOT, System, wait_until

VERSIONS = ROOT / "migrations/versions"
SHAPES = ROOT / "tests/data/schemas"
"""Of each revision that was the newest of a release: every table's columns, as a JSON file."""


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = db.connect(database_url)
    yield made
    made.dispose()


# ------------------------------------------------------------------ what a revision may do


@pytest.mark.parametrize("step", schema.history()[1:], ids=lambda step: step.number)
def test_a_revision_that_expands_does_nothing_that_the_version_before_would_notice(
    step: Revision,
) -> None:
    (path,) = VERSIONS.glob(f"{step.number}_*.py")
    if step.phase is Phase.EXPAND:
        assert unsafe(path.read_text()) == []


def upgrade_of(*lines: str) -> str:
    return "\n".join(["def upgrade():", *(f"    {line}" for line in lines)])


@pytest.mark.parametrize(
    "lines",
    [
        ("op.drop_table('reply')",),
        ("op.drop_column('reply', 'url')",),
        ("op.rename_table('reply', 'answer')",),
        ("op.alter_column('reply', 'url', new_column_name='address')",),
        ("op.alter_column('reply', 'url', nullable=False)",),
        ("op.alter_column('reply', 'url', type_=sa.Integer())",),
        ("op.add_column('reply', sa.Column('n', sa.Integer(), nullable=False))",),
        ("op.create_index('ix', 'reply', ['url'], unique=True)",),
        ("op.create_unique_constraint('uq', 'reply', ['url'])",),
        ("op.create_check_constraint('ck', 'reply', 'n > 0')",),
        ("op.execute('delete from reply')",),
        ("op.drop_constraint('uq_reply_url', type_='unique')",),
        (
            "with op.batch_alter_table('reply') as batch_op:",
            "    batch_op.drop_column('url')",
        ),
        (
            "with op.batch_alter_table('reply') as batch_op:",
            "    batch_op.create_index('ix', ['url'], unique=True)",
        ),
    ],
)
def test_what_the_version_before_would_notice_is_found(lines: Sequence[str]) -> None:
    assert len(unsafe(upgrade_of(*lines))) == 1


@pytest.mark.parametrize(
    "lines",
    [
        ("op.create_table('n', sa.Column('a', sa.Integer(), nullable=False))",),
        ("op.add_column('reply', sa.Column('n', sa.Integer()))",),
        ("op.add_column('reply', sa.Column('n', sa.Integer(), nullable=True))",),
        ("op.add_column('t', sa.Column('n', sa.Integer(), nullable=False, server_default='0'))",),
        ("op.create_index(op.f('ix'), 'reply', ['url'])",),
        ("op.create_table('n')", "op.create_index('ix', 'n', ['a'], unique=True)"),
        (
            "with op.batch_alter_table('reply') as batch_op:",
            "    batch_op.add_column(sa.Column('n', sa.Integer()))",
        ),
        (
            "with op.batch_alter_table('reply') as batch_op:",
            "    batch_op.add_column(sa.Column('n', sa.Integer(), server_default='0'))",
            "    batch_op.drop_constraint(batch_op.f('uq_reply_url'), type_='unique')",
            "    batch_op.create_unique_constraint('uq_reply_url_n', ['url', 'n'])",
        ),
    ],
)
def test_what_the_version_before_does_not_notice_passes(lines: Sequence[str]) -> None:
    assert unsafe(upgrade_of(*lines)) == []


@pytest.mark.parametrize(
    ("column", "old", "columns"),
    [
        ("'m', server_default='0'", "uq_reply_url", "['url', 'n']"),  # n is not new
        ("'n', nullable=False", "uq_reply_url", "['url', 'n']"),  # n must be given
        ("'n', server_default='0'", "uq_reply_url", "['n']"),  # narrower
        ("'n', server_default='0'", "uq_reply_item", "['url', 'n']"),  # another one
        ("'n', server_default='0'", "uq_reply_url", "['url']"),  # not wider
    ],
)
def test_a_unique_constraint_is_replaced_only_by_itself_and_a_new_column(
    column: str, old: str, columns: str
) -> None:
    said = unsafe(
        upgrade_of(
            f"op.add_column('reply', sa.Column({column}))",
            f"op.drop_constraint('{old}', 'reply', type_='unique')",
            f"op.create_unique_constraint('uq_reply_url_n', 'reply', {columns})",
        )
    )
    assert "drop_constraint is not known to be harmless" in said
    assert "create_unique_constraint is not known to be harmless" in said


def test_a_revision_without_phase_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_first.py").write_text('revision = "0001"\n')
    assert schema.history(tmp_path) == [Revision("0001", Phase.EXPAND)]
    (tmp_path / "0002_more.py").write_text('revision = "0002"\n')
    with pytest.raises(DatabaseError, match=r"0002_more\.py says no phase"):
        schema.history(tmp_path)
    (tmp_path / "0002_more.py").write_text('phase = "sometime"\n')
    with pytest.raises(DatabaseError, match="says no phase"):
        schema.history(tmp_path)


# ------------------------------------------------------------------ before and after


def steps(phases: str) -> list[Revision]:
    """A history of `e`xpanding and `c`ontracting revisions, behind the first."""
    return [
        Revision(f"{number:04}", Phase.CONTRACT if phase == "c" else Phase.EXPAND)
        for number, phase in enumerate("e" + phases, 1)
    ]


@pytest.mark.parametrize(
    ("phases", "applied", "upto"),
    [
        ("", "0001", "0001"),
        ("ee", "0001", "0003"),
        ("eec", "0001", "0003"),
        ("eecc", "0003", "0003"),
        ("eecc", "0005", "0005"),
        ("c", "0001", "0001"),
        ("cee", "0002", "0004"),
        ("ce", "", "0003"),
    ],
)
def test_before_a_deployment_only_what_expands_is_applied(
    phases: str, applied: str, upto: str
) -> None:
    assert schema.before_deployment(steps(phases), applied) == upto


def test_an_upgrade_that_was_not_finished_stands_in_the_way() -> None:
    with pytest.raises(DatabaseError, match=r"revision 0003 .* is still to be applied.*--after"):
        schema.before_deployment(steps("ece"), "0002")


@given(st.text("ec", max_size=8), st.data())
def test_code_works_from_the_floor_on(phases: str, data: st.DataObject) -> None:
    revisions = steps(phases)
    applied = data.draw(st.sampled_from([step.number for step in revisions]))
    floor = schema.floor(revisions, applied)
    assert floor <= applied
    taken_away_later = [
        step
        for step in revisions
        if floor < step.number <= applied and step.phase is Phase.CONTRACT
    ]
    assert not taken_away_later


def test_the_database_keeps_its_floor(engine: Engine) -> None:
    schema.upgrade(engine, "0002")
    assert not inspect(engine).has_table("schema_floor")
    schema.upgrade_before_deployment(engine)
    with engine.connect() as connection:
        kept = connection.scalar(text("select revision from schema_floor"))
    assert kept == schema.floor(schema.history(), schema.needed())


def test_the_command_goes_part_of_the_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path)))
    runner = CliRunner()
    said = runner.invoke(main, ["db", "upgrade", "--before"]).output
    assert said == f"the schema is at {schema.newest()}\n"
    assert runner.invoke(main, ["db", "upgrade", "--after"]).output == said
    both = runner.invoke(main, ["db", "upgrade", "--before", "--after"])
    assert both.exit_code == 2
    assert runner.invoke(main, ["db", "upgrade", "--after", "0001"]).exit_code == 2


# ------------------------------------------------------------------ the version before


def columns(engine: Engine) -> dict[str, dict[str, bool]]:
    """Every table's columns, and whether an insert must give each a value."""
    inspector = inspect(engine)
    return {
        table: {
            column["name"]: not column["nullable"]
            and column["default"] is None
            and column.get("autoincrement") is not True
            for column in inspector.get_columns(table)
        }
        for table in inspector.get_table_names()
    }


@pytest.mark.parametrize("path", sorted(SHAPES.glob("*.json")), ids=lambda path: path.stem)
def test_statements_of_a_released_version_still_fit(engine: Engine, path: Path) -> None:
    """Each table and column that it names is there, and none must be given that it doesn't name."""
    schema.upgrade(engine)
    if schema.floor(schema.history(), schema.newest()) > path.stem:
        return  # a later version has contracted: this one may no longer run
    now, known = columns(engine), json.loads(path.read_text())
    assert known.keys() <= now.keys()
    for table, names in known.items():
        assert set(names) <= now[table].keys(), table
        wanted = {name for name, needed in now[table].items() if needed}
        assert wanted <= set(names), f"{table}: the version of {path.stem} gives no such value"


BURIED_BEFORE = (
    'insert into dead_letter (topic, partition, "offset", brand, source, mention_id, revision,'
    " reason, key, value, headers, state, buried_at, settled_by) values ('mentions', 0, 7, '', '',"
    " '', 0, :reason, :value, :value, '{}', 'waiting', :at, '') on conflict do nothing"
)
"""What the first version says to bury a record, also when it comes again."""


def test_the_first_version_still_buries_a_record_once(engine: Engine) -> None:
    schema.upgrade(engine, "0001")
    at = "2026-11-22 12:00:00+00" if engine.dialect.name == "postgresql" else 0
    with engine.begin() as connection:
        values = {"reason": "before", "value": b"\xff", "at": at}
        assert connection.execute(text(BURIED_BEFORE), values).rowcount == 1
    schema.upgrade_before_deployment(engine)
    with engine.begin() as connection:
        values = {"reason": "again", "value": b"\xff", "at": at}
        assert connection.execute(text(BURIED_BEFORE), values).rowcount == 0
        another = BURIED_BEFORE.replace("7", "8")
        assert connection.execute(text(another), values).rowcount == 1
        assert connection.execute(text(another), values).rowcount == 0
        found = connection.execute(text("select topic_id, reason from dead_letter order by id"))
        assert found.all() == [("", "before"), ("", "again")]


def test_there_is_a_released_shape_and_it_is_of_a_revision() -> None:
    known = {step.number for step in schema.history()}
    stems = {path.stem for path in SHAPES.glob("*.json")}
    assert stems
    assert stems <= known


def grow(engine: Engine) -> None:
    """Do what a version to come may do before its deployment: more tables, more columns."""
    with engine.begin() as connection:
        for statement in (
            "create table of_tomorrow (id integer primary key)",
            "alter table mention add column of_tomorrow integer",
            "alter table item add column of_tomorrow integer not null default 0",
            "alter table event add column of_tomorrow varchar not null default ''",
            "alter table receipt add column of_tomorrow integer",
            "create index of_tomorrow_item on item (of_tomorrow)",
            "update alembic_version set version_num = '9998'",
        ):
            connection.execute(text(statement))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", pytest.param("pg", marks=pytest.mark.services)])
def test_roles_go_on_and_start_anew_while_the_schema_grows(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("new_postgres_database") if database == "pg" else ""
    env = {"EARSHOT_DEMO__RATE": "50"} | ({"EARSHOT_DATABASE__URL": url} if url else {})
    system = System(tmp_path / "home", env=env, arguments=("--no-desk",))
    system.start()
    request.addfinalizer(system.kill)
    engine = db.connect(url or f"sqlite:///{system.home}/earshot.db")
    request.addfinalizer(engine.dispose)

    def stored() -> int:
        if not inspect(engine).has_table("mention"):
            return 0
        with db.open_readers(engine).begin() as session:
            return session.scalar(select(func.count()).select_from(MentionRow)) or 0

    wait_until(lambda: stored() > 50, 120, f"storing: {system.log()[-2_000:]}")
    pids = system.roles()
    grow(engine)
    before = stored()
    wait_until(lambda: stored() > before + 100, 120, f"going on: {system.log()[-2_000:]}")
    assert system.roles() == pids  # nobody had to be started again
    assert "role ended" not in system.log()
    assert system.kill_role("route")
    before = stored()
    wait_until(lambda: stored() > before + 100, 120, f"started anew: {system.log()[-2_000:]}")
    assert system.stop() == 0
    done = subprocess.run(
        system.command("doctor", "--stopped"),
        cwd=ROOT,
        env=system.variables(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ok     schema: revision 9998" in done.stdout
