"""A brand's file: the shipped one loads, and a wrong one says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from earshot import brand
from earshot.yaml_source import OperatorError

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "brands"
GOOD = "name: Acme\nqueries:\n  name: acme\n"


def complaint(folder: Path, text: str, slug: str = "acme") -> str:
    (folder / slug).mkdir(exist_ok=True)
    (folder / slug / "brand.yaml").write_text(text)
    with pytest.raises(OperatorError) as caught:
        brand.load(folder)
    return str(caught.value)


def test_the_shipped_brand_loads() -> None:
    acme = brand.load(SHIPPED)["acme"]
    assert (acme.slug, acme.name, acme.languages[0]) == ("acme", "Acme", "en")
    assert acme.queries
    assert all(topic.description and topic.examples for topic in acme.topics.values())


def test_brands_are_found_by_their_folders(tmp_path: Path) -> None:
    for slug in ("acme", "b-2"):
        (tmp_path / slug).mkdir()
        (tmp_path / slug / "brand.yaml").write_text(GOOD)
    (tmp_path / "notes").mkdir()
    assert {slug: b.slug for slug, b in brand.load(tmp_path).items()} == {
        "acme": "acme",
        "b-2": "b-2",
    }


def test_a_folder_without_brands_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"no brand here; write .*/<brand>/brand\.yaml"):
        brand.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: Acme\n", "line 1: Object missing required field `queries`"),
        ("name: Acme\nqueries: {}\n", "line 2, queries: a brand needs at least one query"),
        (GOOD + "colour: red\n", "line 1: Object contains unknown field `colour`"),
        (GOOD + "topics:\n  a:\n    descripton: x\n", "unknown field `descripton`"),
        (GOOD + "timezone: Mars/Base\n", "line 4, timezone: 'Mars/Base' is no time zone"),
        (GOOD + "timezone: ../x\n", "line 4, timezone: '../x' is no time zone"),
        (GOOD + "languages: [en, english]\n", "languages.1: 'english' is no ISO 639-1 code"),
        (GOOD + "languages: []\n", "line 4, languages: a brand answers in at least one"),
        (GOOD + "slug: other\n", "line 4, slug: the folder's name is the brand's slug"),
        (GOOD + "name: Acme\n", "line 4: 'name' is given twice"),
    ],
)
def test_a_wrong_brand_is_told_by_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in complaint(tmp_path, text)


@pytest.mark.parametrize("slug", ["Acme", "1acme", "a_b", "a" * 41])
def test_a_folder_whose_name_is_no_slug_is_refused(tmp_path: Path, slug: str) -> None:
    assert f"{slug!r} is not" in complaint(tmp_path, GOOD, slug)
