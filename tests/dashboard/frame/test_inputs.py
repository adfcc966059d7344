"""Forms become frozen values, or are refused by the name of the field; never a broken page."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from dashboard import create_app
from dashboard.accounts import acts as account_acts
from dashboard.answering import acts as answering_acts
from dashboard.answering.unsent import Unsent
from dashboard.frame.inputs import LARGEST, BadInput, Input, Number, read_form
from dashboard.thread import acts as thread_acts
from dashboard.triage import acts as triage_acts
from tests.dashboard.seed import add_item
from tests.dashboard.world import World, one

DESK = Path(create_app.__code__.co_filename).parent
ACTS = sorted(DESK.glob("*/acts.py"))
INPUTS = [
    kind
    for module in (account_acts, answering_acts, thread_acts, triage_acts)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Input) and kind is not Input
]

SAID = st.one_of(
    st.text(max_size=30),
    st.integers(-5, 2 * LARGEST).map(str),
    st.sampled_from(["", "on", "1:1", "1:", "done", "assign", "positive", "answered", "1" * 4_400]),
)


class Example(Input, frozen=True, kw_only=True):
    number: Number
    text: str = ""
    ticked: bool = False
    several: tuple[Number, ...] = ()
    word: Literal["yes", "no"] = "no"


def outcome(kind: type[Input], form: MultiDict[str, str]) -> Input | BadInput:
    try:
        return read_form(kind, form)
    except BadInput as refused:
        return refused


@given(st.data(), st.sampled_from([*INPUTS, Unsent, Example]))
def test_any_form_is_an_input_or_refused_by_the_name_of_a_field(
    data: st.DataObject, kind: type[Input]
) -> None:
    names = [field.name for field in msgspec.structs.fields(kind)]
    forms = st.lists(st.tuples(st.sampled_from([*names, "csrf_token"]), SAID), max_size=8)
    found = outcome(kind, MultiDict(data.draw(forms)))
    if isinstance(found, BadInput):
        assert found.field in names
        assert found.why
        assert len(found.value) <= 60
    else:
        assert type(found) is kind
        hash(found)


@given(st.integers(0, LARGEST), st.text(), st.booleans(), st.lists(st.integers(0, LARGEST)))
def test_what_a_form_says_is_what_the_input_has(
    number: int,
    text: str,
    ticked: bool,  # noqa: FBT001 -- drawn
    several: list[int],
) -> None:
    form = MultiDict([("number", str(number)), ("text", text)])
    form.setlist("several", [str(one) for one in several])
    if ticked:
        form["ticked"] = "on"
    assert read_form(Example, form) == Example(
        number=number,
        text=text.replace("\r\n", "\n"),
        ticked=ticked,
        several=tuple(several),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", None),
        ("number", ""),
        ("number", "-1"),
        ("number", str(LARGEST + 1)),
        ("number", "1.5"),
        ("several", "x"),
        ("word", "perhaps"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_field(field: str, value: str | None) -> None:
    form = MultiDict({"number": "1"} | {field: value}) if value is not None else MultiDict()
    with pytest.raises(BadInput) as refused:
        read_form(Example, form)
    assert (refused.value.field, refused.value.value) == (field, (value or "")[:60])


def test_the_page_names_the_field_the_value_and_the_remedy(world: World) -> None:
    with world.sessions.begin() as writing:
        number = add_item(writing, 1)
    form = {"action": "<b>eat</b>", "item": f"{number}:1"}
    page = world.browser("alice").post("/triage/act", form)
    assert page.status_code == 400
    said = one(page, ".error-pane p:not(.muted)").text()
    assert "“action” is “<b>eat</b>”" in said
    assert "Nothing was changed. Reload the page and try again." in said
    part = world.browser("alice").post("/triage/act", form, X_Fragment="1")
    assert part.status_code == 400
    assert part.text.startswith('<section class="error-pane"')


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return found


def test_only_the_reader_of_inputs_reads_a_form() -> None:
    def reads(file: Path) -> bool:
        return any(
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("request.form", "request.json", "request.data")
            for node in ast.walk(ast.parse(file.read_text()))
        )

    assert [file.name for file in DESK.glob("**/*.py") if reads(file)] == ["inputs.py"]


@pytest.mark.parametrize("file", ACTS, ids=lambda file: file.parent.name)
def test_an_act_knows_no_request_and_can_be_offered_by_anything(file: Path) -> None:
    known = imports(file)
    assert not [name for name in known if name.startswith("flask")]
    reach = {"app_context.app_context", "app_context.viewer", "inputs.form_input"}
    assert not [name for name in known for wrong in reach if name.endswith(wrong)]
