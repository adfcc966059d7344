"""A reply is measured as its platform measures it, in the server and in the browser alike."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.platforms.registry import PLATFORMS
from collectors.platforms.x.posts import REPLY_LENGTH as OF_X
from earshot.items.reply_length import FALLBACK, Bound, Unit, count, read, stored, tightest

ROOT = Path(__file__).resolve().parents[3]
TABLE: dict[str, Any] = json.loads((ROOT / "tests/data/reply_lengths.json").read_text())
BOUNDS = msgspec.convert(TABLE["bounds"], dict[str, Bound])
LENGTHS = [PLATFORMS["x"], PLATFORMS["reddit"], PLATFORMS["bluesky"], PLATFORMS["simulator"]]
BROWSER = """
import { count } from "./dashboard/static/reply_length.js";
import { readFileSync } from "node:fs";
const { bounds, cases } = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(cases.map(({ text, unit }) => count(text, bounds[unit]))));
"""


def test_the_table_measures_as_x_does() -> None:
    assert (BOUNDS["weighted"],) == OF_X


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: ascii(case["text"])[:30])
def test_the_server_counts_by_the_table(case: dict[str, Any]) -> None:
    assert count(case["text"], BOUNDS[case["unit"]]) == case["length"]


def test_the_browser_s_script_counts_by_the_table() -> None:
    told = subprocess.run(
        ["node", "--input-type=module", "-e", BROWSER],
        cwd=ROOT,
        input=json.dumps(TABLE),
        capture_output=True,
        text=True,
        check=True,
    )
    counted = json.loads(told.stdout)
    wrong = [
        (case["text"], case["unit"], n, case["length"])
        for case, n in zip(TABLE["cases"], counted, strict=True)
        if n != case["length"]
    ]
    assert not wrong


@pytest.mark.parametrize("platform", LENGTHS, ids=lambda platform: platform.key)
def test_what_is_stored_is_read_as_it_was(platform: Any) -> None:
    length = platform.reply_length(None)
    assert read(json.loads(json.dumps(stored(length)))) == length


@pytest.mark.parametrize("saved", [None, [], "280", [{"unit": "parsecs", "limit": 1}], [{}]])
def test_what_a_source_has_not_said_or_said_in_later_words_falls_back(saved: object) -> None:
    assert read(saved) == FALLBACK


def test_of_two_bounds_the_one_that_is_nearer_is_shown() -> None:
    length = PLATFORMS["bluesky"].reply_length(None)
    assert tightest("abc", length)[1].unit is Unit.GRAPHEMES
    used, bound = tightest("\N{FAMILY}\N{ZERO WIDTH JOINER}" * 10, length)
    assert (used, bound.unit) == (70, Unit.BYTES)


@given(st.text(), st.sampled_from(sorted(BOUNDS)))
def test_no_text_is_too_strange_to_be_measured(text: str, unit: str) -> None:
    assert count(text, BOUNDS[unit]) >= 0


@given(st.text(), st.text())
def test_weights_lie_between_one_and_two_of_a_sign_unless_links_and_emoji_say_else(
    left: str, right: str
) -> None:
    bound = Bound(unit=Unit.WEIGHTED, limit=280, light=BOUNDS["weighted"].light)
    assert count(left + " " + right, bound) <= 2 * len(left) + 1 + 2 * len(right)
