"""The units: systemd reads them without a word, they run commands that exist, and are shut in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from earshot.runtime.role import ROLES
from earshot.settings import load
from tests.deploy.test_containers import DEMO_ROLES, assert_is_a_command
from tests.deploy.tools import DEPLOY, run

UNITS = sorted(path for path in (DEPLOY / "systemd").iterdir() if path.suffix != ".sysusers")
PROGRAM = "/opt/earshot/bin/earshot"
EXPOSED = 15
"""The most that `systemd-analyze security` may count, in tenths of its 10; below 20 is its OK."""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units in a folder, running a program that this machine has."""
    for path in UNITS:
        (tmp_path / path.name).write_text(path.read_text().replace(PROGRAM, "/bin/true"))
    return tmp_path


def settings_of(name: str) -> dict[str, list[str]]:
    """The lines of a unit by their key."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def verify(folder: Path) -> tuple[int, str]:
    units = [folder / path.name for path in UNITS]
    done = run("systemd-analyze", "verify", "--man=no", "--recursive-errors=one", *units)
    ours = [line for line in done.stderr.splitlines() if "earshot" in line]
    return done.returncode, "\n".join(ours)


def test_systemd_has_nothing_to_say_about_the_units(installed: Path) -> None:
    assert verify(installed) == (0, "")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("ProtectSytem=strict", "ProtectSytem"),
        ("LimitNOFILE=many", "Failed to parse resource value"),
    ],
)
def test_a_unit_with_a_fault_is_found(installed: Path, wrong: str, said: str) -> None:
    unit = installed / "earshot@.service"
    unit.write_text(unit.read_text().replace("Restart=always", f"Restart=always\n{wrong}"))
    assert said in verify(installed)[1]


@pytest.mark.parametrize("name", ["earshot@.service"])
def test_a_role_can_do_little_beyond_its_work(installed: Path, name: str) -> None:
    done = run(
        "systemd-analyze",
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={EXPOSED}",
        installed / name,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_the_target_starts_every_role() -> None:
    wanted = " ".join(settings_of("earshot.target")["Wants"])
    roles = re.findall(r"earshot@(\w+)\.service", wanted)
    assert set(roles) == set(ROLES) - DEMO_ROLES
    for role in roles:
        assert_is_a_command([role])


def test_the_schema_is_brought_up_to_date_before_any_role_starts() -> None:
    (command,) = settings_of("earshot-migrate.service")["ExecStart"]
    assert_is_a_command(command.split()[1:])
    role = settings_of("earshot@.service")
    assert "earshot-migrate.service" in role["Requires"]
    assert any("earshot-migrate.service" in after for after in role["After"])


@pytest.mark.parametrize("name", ["earshot@.service", "earshot-migrate.service"])
def test_every_variable_of_a_unit_is_a_setting(name: str) -> None:
    pairs = (line.split("=", 1) for line in settings_of(name)["Environment"])
    load(None, {variable: value for variable, value in pairs if variable.startswith("EARSHOT_")})


def test_every_user_of_a_unit_is_made() -> None:
    made = re.findall(r"^u (\w+)", (DEPLOY / "systemd/earshot.sysusers").read_text(), re.MULTILINE)
    services = [path.name for path in UNITS if path.suffix == ".service"]
    assert {user for name in services for user in settings_of(name)["User"]} == set(made)
