"""The programs that check what is deployed, or the reason why one is not here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import unavailable

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
INSTALL = "`make services` installs it"


def run(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment, of `make services`, or of this machine.

    The test is skipped where it is missing.
    """
    folders = (Path(sys.executable).parent, ROOT / ".services")
    own = (str(folder / name) for folder in folders if (folder / name).exists())
    program = next(own, None) or shutil.which(name)
    if program is None:
        unavailable(f"{name} is not there; {INSTALL}")
    command = [str(program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
