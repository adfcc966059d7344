"""What holds for every tracked file: sizes, names, and nothing that belongs elsewhere."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent

LONGEST = 350
"""Lines of a Python file. More are two ideas, unless a reason stands below."""

LONGEST_TEST = 700
"""Lines of a file of tests: one subject, example after example."""

LONGER_WITH_REASON = {
    "earshot/database/tables.py": "one schema, one file: found by scrolling, not by guessing",
}

BANNED_NAMES = {
    "base",
    "common",
    "helper",
    "helpers",
    "manager",
    "misc",
    "service",
    "util",
    "utils",
}
"""Names of patterns. A file is named for the thing that it holds."""

FOREIGN = re.compile(r"(^|/)(node_modules|vendor|\.venv)/|\.min\.(js|css)$|\.(whl|jar|pyc|pkl)$")
"""What package managers bring, or a build makes."""

PRIVATE_PATH = re.compile(r"(?<![\w.$}])/(?:root|work|Users/\w+|home/(?!appuser\b)\w+)/")
"""A path that is true on one machine alone."""


@cache
def tracked() -> tuple[str, ...]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return tuple(name for name in listed.stdout.split("\0") if (ROOT / name).is_file())


def python_files() -> tuple[str, ...]:
    """Those that people write; Alembic writes the migrations."""
    return tuple(
        name
        for name in tracked()
        if name.endswith(".py") and not name.startswith("migrations/versions/")
    )


def lines_of(name: str) -> int:
    return len((ROOT / name).read_text().splitlines())


def bound(name: str) -> int:
    return LONGEST_TEST if PurePosixPath(name).name.startswith("test_") else LONGEST


def test_no_python_file_is_longer_than_one_idea() -> None:
    too_long = {name: lines_of(name) for name in python_files() if lines_of(name) > bound(name)}
    assert set(too_long) <= set(LONGER_WITH_REASON), too_long


def test_every_exception_in_length_is_still_needed() -> None:
    needless = [
        name
        for name in LONGER_WITH_REASON
        if not (ROOT / name).exists() or lines_of(name) <= LONGEST
    ]
    assert not needless


def test_no_file_is_named_for_a_pattern() -> None:
    named = [name for name in tracked() if PurePosixPath(name).stem in BANNED_NAMES]
    # the template that all pages extend is called base.html by everybody who knows Jinja
    assert not [name for name in named if not name.endswith("/templates/base.html")]


def test_no_third_partys_file_is_tracked() -> None:
    assert not [name for name in tracked() if FOREIGN.search(name)]


def test_no_file_names_a_path_of_one_machine() -> None:
    found = []
    for name in tracked():
        try:
            text = (ROOT / name).read_text()
        except UnicodeDecodeError:
            continue  # an image or a model
        for number, line in enumerate(text.splitlines(), 1):
            if PRIVATE_PATH.search(line):
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert not found


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "package-lock.json"])
def test_no_lock_file_names_a_registry(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "--index-url" not in text
    assert '"resolved"' not in text
    assert not re.search(r"^\s*[^#\s].*https?://(?!github\.com|opencollective)", text, re.MULTILINE)


def test_every_requirement_has_a_hash() -> None:
    for name in ("requirements.txt", "requirements-dev.txt"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries), name


PRODUCT = ("collectors", "classifier", "router", "dashboard", "operations", "earshot")
A_DOZEN = 12


def test_no_folder_of_the_product_holds_more_than_a_dozen_modules() -> None:
    modules = Counter(
        str(PurePosixPath(name).parent)
        for name in python_files()
        if name.startswith(tuple(f"{package}/" for package in PRODUCT))
        and PurePosixPath(name).name != "__init__.py"
    )
    assert modules
    assert not {folder: n for folder, n in modules.items() if n > A_DOZEN}


def test_a_templates_name_is_unique_among_the_areas_of_the_desk() -> None:
    names = Counter(
        PurePosixPath(name).name
        for name in tracked()
        if name.startswith("dashboard/") and name.endswith(".html")
    )
    assert names
    assert not [name for name, n in names.items() if n > 1]
