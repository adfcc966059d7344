"""The wheel holds all that an installation reads: it works where there is no checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("earshot", "collectors", "classifier", "router", "dashboard", "operations")
CODE = (".pyc", ".pyo")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was unpacked, as an installer does."""
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = made.glob("*.whl")
    target = made / "installed"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def python(installed: Path, *arguments: str, **settings: str) -> str:
    """What an interpreter prints that finds the installation before any checkout."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=installed,
        env={"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", **settings},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_the_wheel(installed: Path) -> None:
    wanted = {
        path.relative_to(ROOT)
        for package in (*PACKAGES, "migrations", "config")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in CODE
    }
    missing = {str(path) for path in wanted if not (installed / path).is_file()}
    assert not missing


def test_an_installation_brings_a_new_database_up_to_date(installed: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    said = python(installed, "-m", "operations", "db", "upgrade", EARSHOT_DATABASE__URL=url)
    newest = max(path.name[:4] for path in (ROOT / "migrations/versions").glob("0*.py"))
    assert f"the schema is at {newest}" in said


def test_an_installation_loads_the_desk_and_the_command(installed: Path) -> None:
    code = "import dashboard.serve, operations.cli.up; print(dashboard.serve.__file__)"
    assert python(installed, "-c", code).startswith(str(installed))
