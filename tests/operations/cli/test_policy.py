"""`earshot policy`, as an operator calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from operations.cli import main
from tests.system import ROOT

RELEASED = (ROOT / "tests/data/policies/routing-0.1.0.yaml").read_text()
BRAND = (ROOT / "config/brands/acme/brand.yaml").read_text()


@pytest.fixture
def brands(tmp_path: Path) -> Path:
    """A folder with the brand Acme and its policy of the first release."""
    folder = tmp_path / "brands" / "acme"
    folder.mkdir(parents=True)
    (folder / "brand.yaml").write_text(BRAND)
    (folder / "routing.yaml").write_text(RELEASED)
    return folder.parent


def earshot(brands: Path, *words: str) -> Result:
    return CliRunner().invoke(main, list(words), env={"EARSHOT_BRANDS": str(brands)})


def test_convert_rewrites_every_brand_and_check_finds_nothing_more(brands: Path) -> None:
    path = brands / "acme" / "routing.yaml"
    path.chmod(0o640)
    done = earshot(brands, "policy", "convert")
    assert (done.exit_code, done.output) == (
        0,
        f"{path}: 22 of 22 conditions in CEL become structured\n",
    )
    assert "if: {spam: {at_least: 0.8}}" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in path.parent.iterdir()) == ["brand.yaml", "routing.yaml"]
    assert earshot(brands, "check").exit_code == 0
    assert earshot(brands, "policy", "convert", "acme", "--check").exit_code == 0


def test_check_writes_nothing_and_its_exit_code_says_that_there_is_something(brands: Path) -> None:
    path = brands / "acme" / "routing.yaml"
    checked = earshot(brands, "policy", "convert", "--check", str(path))
    assert (checked.exit_code, path.read_text()) == (1, RELEASED)
    assert "22 of 22" in checked.output


def test_what_stays_is_said_with_its_line(brands: Path) -> None:
    path = brands / "acme" / "routing.yaml"
    assert "item.reopened" in RELEASED
    path.write_text(RELEASED.replace('"item.reopened"', '"size(item.topics) > 1"'))
    said = earshot(brands, "policy", "convert", "acme").output
    assert "21 of 22" in said
    assert "when stays: structure has nothing for `size` here\n" in said
    assert 'when: "size(item.topics) > 1"' in path.read_text()


def test_an_unknown_brand_and_a_broken_policy_are_errors(brands: Path) -> None:
    unknown = earshot(brands, "policy", "convert", "acne")
    assert (unknown.exit_code, unknown.output) == (
        1,
        "Error: 'acne' is neither a file nor a brand; the brands are acme\n",
    )
    (brands / "acme" / "routing.yaml").write_text("teams: 3\n")
    broken = earshot(brands, "policy", "convert")
    assert broken.exit_code == 1
    assert "routing.yaml, line 1" in broken.output
