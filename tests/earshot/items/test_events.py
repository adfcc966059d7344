"""The vocabulary is whole and alive: each word has a meaning, and the code sets each.

What is used is read from the code of the product, so that a word that nothing sets any more
fails here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dashboard.frame.formats import REPLY_STATES, STATES
from dashboard.thread.audit import SENTENCES
from earshot.domain import ItemFlag, ItemState, ReplyState
from earshot.items.events import ENTERED, SENDER_WROTE, EventKind
from earshot.items.lifecycle import NEXT

ROOT = Path(__file__).parents[3]
PRODUCT = ("earshot", "collectors", "classifier", "router", "dashboard", "operations")
SHOWN = ("dashboard/frame/formats.py", "dashboard/thread/audit.py")
"""Words of pages: naming a kind here shows it, and writes nothing."""

YET_TO_COME: dict[type[ItemState | ReplyState], dict[str, str]] = {
    ItemState: {"awaiting_approval": "answers that wait for approval: issue 12"},
    ReplyState: {
        "awaiting_approval": "answers that wait for approval: issue 12",
        "deleted": "a responder deletes their own answer on the platform: issue 13",
    },
}
"""States that are stored and shown, and that nothing sets before the issue that is named."""

OF_ITEMS = {"assignment", "item", "label", "mention", "reply"}
"""What an item's page shows: events of these carry the item's id."""

WORDS = [*ItemState, *ReplyState, *ItemFlag, *EventKind]


@cache
def trees() -> dict[str, ast.Module]:
    files = sorted(file for package in PRODUCT for file in (ROOT / package).rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): ast.parse(file.read_text()) for file in files}


def named(node: ast.AST, enumeration: str) -> Iterator[str]:
    """Members of the enumeration named below a node; neither compared nor in a collection."""
    if isinstance(node, ast.Compare | ast.Set | ast.Tuple | ast.List):
        return
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == enumeration
    ):
        yield node.attr
    for child in ast.iter_child_nodes(node):
        yield from named(child, enumeration)


def written_kinds() -> set[EventKind]:
    """Kinds that are named anywhere but where they are defined, shown or compared."""
    return {
        EventKind[name]
        for file, tree in trees().items()
        if file not in SHOWN and file != "earshot/items/events.py"
        for name in named(tree, "EventKind")
    }


def values(tree: ast.Module) -> Iterator[ast.expr]:
    """What a module gives as a state: `to=`, `state=`, `"state": …`, and results of functions."""
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="to" | "state" | "then", value=value):
                yield value
            case ast.Dict():
                pairs = zip(node.keys, node.values, strict=True)
                yield from (
                    value
                    for key, value in pairs
                    if isinstance(key, ast.Constant) and key.value in {"state", "then"}
                )
            case ast.Return(value=ast.Tuple(elts=several)):
                yield from several
            case ast.Return(value=ast.expr() as value):
                yield value
            case ast.Assign(targets=[ast.Name(id="to")], value=value):
                yield value
            case ast.Call():
                yield from node.args
            case _:
                pass


def set_states(enumeration: type[ItemState | ReplyState]) -> set[ItemState | ReplyState]:
    return {
        enumeration[name]
        for tree in trees().values()
        for value in values(tree)
        for name in named(value, enumeration.__name__)
    }


@pytest.mark.parametrize("word", WORDS, ids=lambda word: f"{type(word).__name__}.{word.name}")
def test_every_word_has_one_plain_sentence_of_meaning(
    word: ItemState | ReplyState | ItemFlag | EventKind,
) -> None:
    assert word.meaning.endswith(".")
    assert "\n" not in word.meaning
    assert len(word.meaning.split()) >= 3


def test_flags_are_single_bits_that_do_not_overlap() -> None:
    assert [flag.bit_count() for flag in ItemFlag] == [1] * len(ItemFlag)
    assert len({int(flag) for flag in ItemFlag}) == len(ItemFlag)


def test_what_is_stored_is_what_it_has_been_since_the_first_release() -> None:
    assert {flag.name: int(flag) for flag in ItemFlag} == {
        "HIGH_REACH": 1,
        "UNSURE": 2,
        "VIP": 4,
        "HISTORY": 8,
    }
    for word in (*ItemState, *ReplyState):
        assert word.value == word.name.lower()
    for kind in EventKind:
        assert kind.value.replace(".", "_") == kind.name.lower()


def test_an_item_that_enters_a_state_has_a_kind_of_event_named_after_it() -> None:
    assert {state: kind.value for state, kind in ENTERED.items()} == {
        state: f"item.{state}" for state in ItemState
    }
    assert {state: kind.value for state, kind in SENDER_WROTE.items()} == {
        state: f"reply.{state}" for state in SENDER_WROTE
    }


def test_every_kind_of_event_is_written_somewhere() -> None:
    by_state = {*ENTERED.values(), *SENDER_WROTE.values()}

    assert set(EventKind) - written_kinds() - by_state == set()


@pytest.mark.parametrize("enumeration", [ItemState, ReplyState])
def test_every_state_is_set_somewhere_or_named_by_an_open_issue(
    enumeration: type[ItemState | ReplyState],
) -> None:
    unset = set(enumeration) - set_states(enumeration)

    assert unset == set(YET_TO_COME[enumeration])


def test_the_sender_has_a_kind_for_every_state_that_it_gives_a_reply() -> None:
    by_people = {ReplyState.WITHDRAWN}

    assert set(SENDER_WROTE) == set(ReplyState) - by_people - set(YET_TO_COME[ReplyState])


def test_every_state_says_what_may_follow_it() -> None:
    assert set(NEXT) == set(ItemState)


def test_pages_have_words_for_every_state_and_for_every_event_of_an_item() -> None:
    assert set(STATES) == set(ItemState)
    assert set(REPLY_STATES) == set(ReplyState)
    assert set(SENTENCES) == {kind for kind in EventKind if kind.partition(".")[0] in OF_ITEMS}
