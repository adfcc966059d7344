"""The command line: instant help, and for every mistake one sentence instead of a traceback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from earshot.database import schema
from earshot.runtime import connect
from earshot.runtime.role import ROLES
from earshot.settings import Settings
from operations.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("sqlalchemy", "alembic", "flask", "sklearn", "numpy", "kafka", "tweepy", "praw", "yaml")
STAGES = ("collectors", "classifier", "router", "dashboard")


def bare(**settings: str) -> dict[str, str]:
    """An environment without any setting but these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EARSHOT_")}
    kept.pop("PORT", None)
    return kept | settings


def start(*arguments: str, env: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "operations", *arguments],
        env=env,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def closed_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


WITH_LOG = ("collect", "classify", "route", "maintain")
WITH_DATABASE = tuple(role for role in ROLES if role != "classify")


def complaints(env: Mapping[str, str], roles: Sequence[str]) -> dict[str, str]:
    """What the roles say before they end with exit code 1, all started at once."""
    running = {role: start(role, env=env) for role in roles}
    until, said = time.monotonic() + 60, {}
    try:
        for role, process in running.items():
            _, err = process.communicate(timeout=max(1.0, until - time.monotonic()))
            lines = [line for line in err.splitlines() if " started " not in line]
            errors = [line for line in lines if line.startswith("Error: ")]
            assert process.returncode == 1, (role, err)
            assert "Traceback" not in err, (role, err)
            assert len(errors) == 1, (role, err)
            said[role] = errors[0]
    finally:
        for process in running.values():
            process.kill()
            process.communicate()
    return said


def test_help_loads_no_stage_and_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from operations.cli import main;"
        "r = CliRunner().invoke(main, ['--help']); assert r.exit_code == 0, r.output;"
        "print(' '.join({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=bare(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(done.stdout.split()) & {*HEAVY, *STAGES}


def test_help_is_instant() -> None:
    # of the process itself: how busy the machine is makes no difference
    code = (
        "import time; began = time.process_time(); import operations.cli;"
        "print(time.process_time() - began)"
    )
    command = [sys.executable, "-c", code]
    seconds = [
        float(subprocess.check_output(command, env=bare(), cwd=ROOT, text=True)) for _ in range(3)
    ]
    assert min(seconds) < 0.3


def test_every_line_of_help_is_the_commands_own() -> None:
    context = click.Context(main)
    for name, (_, text) in COMMANDS.items():
        command = main.get_command(context, name)
        assert command is not None, name
        assert (command.name, command.get_short_help_str(200)) == (name, text)
    assert set(ROLES) <= set(COMMANDS)


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(main, ["colect"])
    assert result.exit_code == 2
    assert "colect" in result.output


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"EARSHOT_LGO__URL": "x"}, "Error: EARSHOT_LGO__URL is no setting"),
        ({"PORT": "http"}, "Error: web.port is 'http'"),
        ({"EARSHOT_TELEMETRY__LEVEL": "loud"}, "Error: telemetry.level is 'loud'"),
        ({"EARSHOT_CONFIG": "none.toml"}, "Error: none.toml: No such file"),
        ({"EARSHOT_DATABASE__URL": "mysql://h/d"}, "Error: database.url names 'mysql'"),
        ({"EARSHOT_BRANDS": "/nowhere"}, "Error: /nowhere: no brand here"),
        ({"EARSHOT_HOME": "/dev/null/x"}, "Error: home is '/dev/null/x'"),
        (
            {"EARSHOT_SOURCES__A__BRAND": "acme", "EARSHOT_SOURCES__A__KIND": "fax"},
            "Error: sources.a.kind is 'fax'; the kinds are",
        ),
        (
            {"EARSHOT_SOURCES__A__BRAND": "zen", "EARSHOT_SOURCES__A__KIND": "simulator"},
            "Error: sources.a.brand is 'zen'; the brands are acme",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    env: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path)) | env)
    result = CliRunner().invoke(main, ["up"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.startswith(said)


def test_a_missing_schema_says_what_to_run(tmp_path: Path) -> None:
    said = complaints(bare(EARSHOT_HOME=str(tmp_path)), WITH_DATABASE)
    assert all("run `earshot db upgrade`" in line for line in said.values()), said


def test_every_role_says_that_the_database_does_not_answer(tmp_path: Path) -> None:
    port = closed_port()
    url = f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/d"
    env = bare(EARSHOT_HOME=str(tmp_path), EARSHOT_DATABASE__URL=url)
    said = complaints(env, WITH_DATABASE)
    for role, line in said.items():
        assert f"127.0.0.1:{port}" in line, role
        assert "check that the server runs" in line, role
        assert "s3cret" not in line, role


def test_every_role_that_reads_the_log_says_that_kafka_does_not_answer(tmp_path: Path) -> None:
    """A collector only writes: it goes on into its spool (`tests/test_outage.py`)."""
    settings = Settings(home=str(tmp_path))
    schema.upgrade(connect.open_database(settings))
    port = closed_port()
    env = bare(EARSHOT_HOME=str(tmp_path), EARSHOT_LOG__URL=f"kafka://127.0.0.1:{port}")
    said = complaints(env, [role for role in WITH_LOG if role != "collect"])
    assert all(f"127.0.0.1:{port}" in line for line in said.values()), said


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        said = complaints(bare(EARSHOT_HOME=str(tmp_path), PORT=str(port)), ["up"])
    assert f"web.port is {port}" in said["up"]
    assert "PORT=8081" in said["up"]


def test_check_finds_the_shipped_configuration_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path)))
    result = CliRunner().invoke(main, ["check"])
    assert (result.exit_code, result.output) == (
        0,
        "OK: 1 brand, 1 source\n",
    )


def test_the_schema_is_brought_up_to_date_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(tmp_path)))
    runner, newest = CliRunner(), schema.newest()
    before = runner.invoke(main, ["db", "current"])
    assert before.output == (
        f"the schema is at nothing, needed is {schema.needed()}, newest is {newest}\n"
    )
    assert runner.invoke(main, ["db", "upgrade"]).output == f"the schema is at {newest}\n"
    ledger = runner.invoke(main, ["ledger", "--json"])
    assert json.loads(ledger.output)["rows"] == []
