"""`earshot doctor` names what is wrong, says what to do, and ends with 1; or all is well."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from earshot.database import schema
from earshot.runtime import connect
from earshot.settings import Settings
from operations.checks.roles import NEEDED
from operations.cli import main
from tests.operations.test_cli import bare, closed_port
from tests.system import System, wait_until

Doctor = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of an installation that is ready to be started."""
    settings = Settings(home=str(tmp_path / "home"))
    engine = connect.open_database(settings)
    schema.upgrade(engine)
    engine.dispose()
    connect.open_log(settings, "test").close()
    return settings.home_path


@pytest.fixture
def doctor(home: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    def run(*options: str, **env: str) -> Result:
        monkeypatch.setattr(os, "environ", bare(EARSHOT_HOME=str(home)) | env)
        return CliRunner().invoke(main, ["doctor", *options])

    return run


def wrong(result: Result) -> list[str]:
    assert not isinstance(result.exception, Exception) or result.exit_code == 1, result.exception
    return [line for line in result.output.splitlines() if line.startswith("WRONG")]


def test_an_installation_that_is_ready_is_well(doctor: Doctor) -> None:
    result = doctor("--stopped")
    assert (result.exit_code, wrong(result)) == (0, [])
    subjects = [
        line.split(":")[0].removeprefix("ok").strip() for line in result.output.splitlines()
    ]
    assert subjects == [
        "data folder",
        "disk",
        "brands",
        "policies",
        "model",
        "settings",
        "database",
        "durability",
        "database file",
        "schema",
        "clock",
        "held items",
        "purge",
        "log",
        "topics",
        "credentials of world",
    ]


def test_machines_get_an_object_a_line(doctor: Doctor) -> None:
    lines = [json.loads(line) for line in doctor("--json").output.splitlines()]
    assert {line["subject"]: line["ok"] for line in lines}["database"]
    (source,) = [line for line in lines if line["subject"] == "source world"]
    assert source == {
        "subject": "source world",
        "ok": False,
        "said": "it has never been polled",
        "remedy": "start `earshot collect world`",
    }


def test_what_is_not_running_is_told_unless_it_is_meant_to_be(doctor: Doctor) -> None:
    port = str(closed_port())
    result = doctor(EARSHOT_TELEMETRY__PORT=port)
    assert result.exit_code == 1
    said = wrong(result)
    assert [line.split(":")[0] for line in said] == [
        "WRONG  source world",
        "WRONG  maintenance",
        "WRONG  roles",
    ]
    assert "nothing is purged, and the log grows" in said[1]
    assert f"{', '.join(NEEDED)} does not answer" in said[2]


def a_brand(folder: Path, text: str) -> str:
    (folder / "acme").mkdir(parents=True)
    (folder / "acme/brand.yaml").write_text(text)
    return str(folder)


def test_a_brand_that_can_not_be_read_is_told_and_the_rest_is_looked_at(
    doctor: Doctor, tmp_path: Path
) -> None:
    folder = a_brand(tmp_path / "brands", "name: Acme\nqueries: [unclosed\n")
    result = doctor("--stopped", EARSHOT_BRANDS=folder)
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in wrong(result)] == ["WRONG  brands", "WRONG  settings"]
    assert "ok     database" in result.output


def test_a_policy_that_is_missing_is_told(doctor: Doctor, tmp_path: Path) -> None:
    text = Path(__file__).resolve().parents[3].joinpath("config/brands/acme/brand.yaml").read_text()
    folder = a_brand(tmp_path / "brands", text)
    (Path(folder) / "acme/routing.yaml").write_text("teams: 3\n")
    said = wrong(doctor("--stopped", EARSHOT_BRANDS=folder))
    assert [line.split(":")[0] for line in said] == ["WRONG  policies"]


def test_a_file_that_is_no_model_is_told(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "m.npz").write_bytes(b"no model")
    (said,) = wrong(doctor("--stopped", EARSHOT_CLASSIFY__MODEL=str(tmp_path / "m.npz")))
    assert said.startswith("WRONG  model: classify.model")
    (said,) = wrong(doctor("--stopped", EARSHOT_CLASSIFY__MODEL=str(tmp_path / "none.npz")))
    assert "none.npz" in said


def test_a_source_without_its_key_is_told(doctor: Doctor) -> None:
    env = {"EARSHOT_SOURCES__A__BRAND": "acme", "EARSHOT_SOURCES__A__KIND": "x"}
    (said,) = wrong(doctor("--stopped", **env, EARSHOT_SOURCES__A__ACCOUNT="acme"))
    assert "bearer_token" in said


def test_a_platform_that_refuses_our_credentials_is_told(doctor: Doctor) -> None:
    from tests.collectors.platforms.x.server import HANDLE, XServer

    with XServer() as server:
        source = {
            "BRAND": "acme",
            "KIND": "x",
            "ACCOUNT": HANDLE,
            "ACCOUNT_ID": "20",
            "BEARER_TOKEN": "wrong-s3cret",
            "ENDPOINT": server.url,
        }
        env = {f"EARSHOT_SOURCES__A__{name}": value for name, value in source.items()}
        result = doctor("--stopped", **env)
    (said,) = wrong(result)
    assert said.startswith(
        "WRONG  credentials of a: X with the bearer token: signing in was refused"
    )
    assert said.endswith("; correct them")
    assert "s3cret" not in result.output


def test_a_database_and_a_log_that_do_not_answer_are_told(doctor: Doctor) -> None:
    port = closed_port()
    result = doctor(
        "--stopped",
        EARSHOT_DATABASE__URL=f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/d",
        EARSHOT_LOG__URL=f"kafka://127.0.0.1:{port}",
    )
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in wrong(result)] == ["WRONG  database", "WRONG  log"]
    assert "s3cret" not in result.output


def test_a_home_that_is_not_there_is_told_and_not_made(doctor: Doctor, tmp_path: Path) -> None:
    result = doctor("--stopped", EARSHOT_HOME=str(tmp_path / "nowhere"))
    subjects = [line.split(":")[0] for line in wrong(result)]
    assert subjects == ["WRONG  data folder", "WRONG  database"]
    assert not (tmp_path / "nowhere").exists()


def test_a_log_that_is_not_there_is_told_once_roles_are_meant_to_run(
    doctor: Doctor, home: Path
) -> None:
    shutil.rmtree(home / "log")
    assert wrong(doctor("--stopped")) == []
    assert "WRONG  log" in doctor(EARSHOT_TELEMETRY__PORT="0").output
    assert not (home / "log").exists()


def test_a_schema_that_is_missing_is_told(doctor: Doctor, home: Path) -> None:
    (home / "earshot.db").unlink()
    connect.open_database(Settings(home=str(home))).connect().close()
    (said,) = wrong(doctor("--stopped"))
    assert said == (
        "WRONG  schema: the database's schema is at nothing, this version needs"
        f" {schema.newest()}; run `earshot db upgrade`"
    )


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_system_that_runs_is_well(
    tmp_path: Path, doctor: Doctor, request: pytest.FixtureRequest
) -> None:
    from tests.operations.test_checks import free_ports

    port = str(free_ports())
    home = tmp_path / "running"
    env = {"EARSHOT_TELEMETRY__PORT": port}
    system = System(home, env=env, arguments=("--no-desk",))
    system.start()
    request.addfinalizer(system.kill)

    def well() -> bool:
        return doctor(EARSHOT_HOME=str(home), **env).exit_code == 0

    wait_until(well, 180, f"well: {system.log()[-2_000:]}", every_s=1)
    system.kill()
    result = doctor(EARSHOT_HOME=str(home), **env)
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in wrong(result)] == ["WRONG  roles"]
