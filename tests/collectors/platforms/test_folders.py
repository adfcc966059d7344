"""A platform is its folder and one line in the registry: nothing else of the product names it."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from collectors.platforms.registry import FOLDERS, PLATFORMS

ROOT = Path(__file__).resolve().parents[3]
PRODUCT = ("collectors", "classifier", "router", "dashboard", "operations", "earshot")
HOME = "collectors/platforms/"
WHOLE = {"__init__.py", "config.py", "source.py"}
ANSWERING = {"client.py", "causes.py", "posts.py", "responder.py"}


def files_of_the_product() -> list[str]:
    told = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *PRODUCT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in told.stdout.split() if (ROOT / name).is_file()]


def names_in(source: str) -> Iterator[str]:
    """Each platform that a Python module names, as a string of its own or by an import."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(value)) if value in FOLDERS:
                yield value
            case ast.Import(names=names):
                yield from (key for one in names if (key := platform_of(one.name)))
            case ast.ImportFrom(module=str(module), names=names):
                paths = [module, *(f"{module}.{one.name}" for one in names)]
                yield from {key for path in paths if (key := platform_of(path))}
            case _:
                pass


def platform_of(module: str) -> str:
    found = re.match(r"collectors\.platforms\.(\w+)", module)
    return found[1] if found and found[1] in FOLDERS else ""


def quoted_in(text: str) -> Iterator[str]:
    """Each platform that a template or a script holds in quotation marks."""
    yield from (key for key in FOLDERS if re.search(rf"(['\"`]){key}\1", text))


def test_nothing_outside_its_folder_and_the_registry_names_a_platform() -> None:
    found = []
    for name in files_of_the_product():
        path = PurePosixPath(name)
        if name == f"{HOME}registry.py" or path.suffix not in {".py", ".html", ".js"}:
            continue
        if "vendor" in path.parts:
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        named = names_in(text) if path.suffix == ".py" else quoted_in(text)
        found += [(name, key) for key in named if not name.startswith(f"{HOME}{key}/")]
    assert not found


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ('if platform == "reddit": ...', ["reddit"]),
        ("from collectors.platforms.x.posts import text_of", ["x"]),
        ("from collectors.platforms import bluesky", ["bluesky"]),
        ("import collectors.platforms.simulator.world", ["simulator"]),
        ('"""The simulator, as x and reddit do."""', []),
        ("from collectors.platforms.registry import PLATFORMS", []),
    ],
)
def test_a_name_is_a_string_of_its_own_or_an_import(source: str, named: list[str]) -> None:
    assert list(names_in(source)) == named


@pytest.mark.parametrize("key", PLATFORMS)
def test_a_platforms_folder_and_its_tests_are_whole(key: str) -> None:
    modules = {path.name for path in (ROOT / HOME / key).glob("*.py")}
    assert modules >= WHOLE
    if PLATFORMS[key].limit_headers:  # it is reached over a network
        assert modules >= ANSWERING
    tests = {path.name for path in (ROOT / "tests" / HOME / key).glob("*.py")}
    assert tests >= {"world.py", "test_source.py"}
