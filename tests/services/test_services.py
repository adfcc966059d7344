"""The services that tests stand on: they start, are shared, die and come back."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.services import postgres
from tests.services.ports import free_ports, wait_until_answers

INSTALL = Path(__file__).parent / "install.sh"


def test_a_new_database_is_empty_and_writable(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("create table mark (id integer primary key)"))
        connection.execute(text("insert into mark values (1)"))
        assert connection.execute(text("select count(*) from mark")).scalar() == 1
    engine.dispose()


@pytest.mark.services
def test_postgres_keeps_what_it_had_committed_when_it_is_killed(
    postgres_url: str, tmp_path: Path
) -> None:
    if postgres.missing():
        pytest.skip(postgres.missing())
    with postgres.postgres(tmp_path / "server") as server:
        engine = create_engine(server.address)
        with engine.begin() as connection:
            connection.execute(text("create table mark (id integer)"))
            connection.execute(text("insert into mark values (7)"))
        server.kill()
        engine.dispose()
        server.start()
        with engine.connect() as connection:
            assert connection.execute(text("select id from mark")).scalar() == 7
        engine.dispose()


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)
    assert len(set(ports)) == 5
    with pytest.raises(TimeoutError, match="the server does not answer"):
        wait_until_answers(ports[0], 0.1, "the server")


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_what_cant_be_installed_is_said_and_fails_only_in_ci(
    ci: str, status: int, tmp_path: Path
) -> None:
    for program in ("dirname", "id", "sed", "head", "tr", "cmp"):
        found = next(p for p in (Path("/bin"), Path("/usr/bin")) if (p / program).exists())
        (tmp_path / program).symlink_to(found / program)
    done = subprocess.run(
        ["/bin/sh", str(INSTALL)],
        env={"PATH": str(tmp_path), "CI": ci, "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert "missing:" in done.stdout
    assert "openjdk-17-jre-headless" in done.stdout
    assert "chromium" in done.stdout
