"""How far one new mention walks through the files of the product, from decoded to stored."""

from __future__ import annotations

import ast
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

import pytest
from sqlalchemy import select

from earshot.database.db import Sessions
from earshot.database.tables import ItemRow
from router.route import Router
from tests.builders import NOON, a_classified
from tests.router.streams import POLICY, QUESTION

ROOT = Path(__file__).resolve().parents[3]

PRODUCT = ("earshot", "collectors", "classifier", "router", "dashboard", "operations")

FARTHEST = 15
LONGEST = 250

ON_THE_WAY = [
    ROOT / "router/route.py",
    *sorted((ROOT / "router/intake").glob("*.py")),
    ROOT / "router/policy/policy.py",
    ROOT / "router/policy/facts.py",
    ROOT / "router/policy/matcher.py",
    ROOT / "router/policy/fact_tests.py",
]


def product_file(frame: FrameType | None) -> str:
    """The product's file that a frame is in, from the root of the repository; or nothing."""
    if frame is None or not frame.f_code.co_filename.startswith(f"{ROOT}/"):
        return ""
    name = frame.f_code.co_filename.removeprefix(f"{ROOT}/")
    return name if name.partition("/")[0] in PRODUCT else ""


def calls_between_files(sessions: Sessions) -> list[tuple[str, str, str]]:
    """From, to and function of each call by which one product file enters another.

    Counted is what Python calls between `Router.handle`, with one decoded mention, and its
    return, when the transaction is committed; by whichever way, a property or a closure too. Not
    counted: calls within a file, calls by a library or into one, and returns. A first mention
    warms up what is prepared once.
    """
    router = Router(sessions, {"acme": POLICY}, lambda: NOON)
    router.handle([a_classified(native_id="0", thread="0", classification=QUESTION)])
    one = [a_classified(native_id="9", thread="9", classification=QUESTION)]
    calls: list[tuple[str, str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event != "call":
            return
        here, there = product_file(frame.f_back), product_file(frame)
        if here and there and here != there:
            calls.append((here, there, frame.f_code.co_name))

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        router.handle(one)
    finally:
        sys.setprofile(before)
    with sessions() as session:
        assert set(session.scalars(select(ItemRow.thread))) == {"simulator:0", "simulator:9"}
    return calls


def test_a_new_mention_crosses_few_borders_between_files(sessions: Sessions) -> None:
    calls = calls_between_files(sessions)
    assert len(calls) <= FARTHEST, "\n".join(map(str, calls))
    assert {to for _, to, _ in calls} >= {"router/intake/store.py", "router/policy/policy.py"}


def test_no_file_of_the_router_is_entered_more_than_twice(sessions: Sessions) -> None:
    entered = Counter(to for _, to, _ in calls_between_files(sessions) if to.startswith("router/"))
    assert [file for file, n in entered.items() if n > 2] == []


@pytest.mark.parametrize("file", ON_THE_WAY, ids=lambda file: file.name)
def test_no_dictionary_of_anything_goes_from_decoding_to_storing(file: Path) -> None:
    """Neither declared nor returned: what goes from file to file is frozen, with typed fields."""
    loose = ("dict[str, Any]", "Row = dict")
    found = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Subscript | ast.Assign)
        and any(word in ast.unparse(node) for word in loose)
    ]
    assert found == []


def test_no_file_of_the_router_holds_more_than_its_one_idea() -> None:
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for file in (ROOT / "router").rglob("*.py")
    }
    assert {file: n for file, n in lengths.items() if n > LONGEST} == {}
