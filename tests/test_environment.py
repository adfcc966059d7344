"""`environment.sh` says what is missing, and what to do, on machines that lack something."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_ENSUREPIP = f"""#!/bin/sh
case "$*" in *ensurepip*) exit 1 ;; esac
exec {sys.executable} "$@"
"""


def run(folder: Path, interpreter: str | None = None) -> subprocess.CompletedProcess[str]:
    """The script with nothing on PATH but a few plain tools, so that it can install nothing."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("sh", "id", "mktemp", "rm", "cat", "sleep", "printf"):
        (tools / name).symlink_to(str(shutil.which(name)))
    variables = {"PATH": str(tools), "TMPDIR": str(folder)}
    if interpreter is not None:
        python = folder / "python"
        python.write_text(interpreter)
        python.chmod(0o755)
        variables["PYTHON"] = str(python)
    return subprocess.run(
        [tools / "sh", ROOT / "environment.sh", folder / "venv", "requirements.txt"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("interpreter", [None, OLD], ids=["none", "too old"])
def test_a_machine_without_a_new_enough_python_is_told_so(
    tmp_path: Path, interpreter: str | None
) -> None:
    done = run(tmp_path, interpreter)
    assert done.returncode == 1
    assert "no Python from 3.11 up was found" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_cannot_make_environments_names_the_package_to_install(
    tmp_path: Path,
) -> None:
    done = run(tmp_path, WITHOUT_ENSUREPIP)
    assert done.returncode == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert f"apt-get install python{version}-venv" in done.stderr
    assert not (tmp_path / "venv").exists()
