"""CI's rule that nothing may be skipped, tried on small suites in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PASSING = """
import pytest

def test_passes():
    assert sum([1, 1]) == 2

@pytest.mark.xfail(reason="known")
def test_fails_as_expected():
    assert sum([1, 1]) == 3
"""
SKIPPING = "import pytest\n\ndef test_skips():\n    pytest.skip('no broker')\n"
MODULE = "import pytest\n\npytest.skip('no module', allow_module_level=True)\n"


def run(folder: Path, suites: list[str], *options: str) -> subprocess.CompletedProcess[str]:
    for number, suite in enumerate(suites):
        (folder / f"test_{number}.py").write_text(suite)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.no_skips", "-c", "/dev/null"]
    return subprocess.run(
        [*command, "--rootdir", folder, *options, folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "a worker"])
def test_skips_fail_the_run_and_are_named_with_their_reasons(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = run(tmp_path, [PASSING, SKIPPING, MODULE], *options)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "test_1.py::test_skips: no broker" in done.stdout
    assert "test_2.py: no module" in done.stdout
    assert "test_0.py" not in done.stdout


def test_an_expected_failure_is_no_skip(tmp_path: Path) -> None:
    done = run(tmp_path, [PASSING])
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
