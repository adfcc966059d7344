"""The documents are true: pages are fresh, links lead somewhere, and what is named exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from collectors.platforms.registry import PLATFORMS
from docs import generate, operator_pages
from docs.shapes import keys_of
from docs.system_pages import walk
from earshot.settings import NOT_SETTINGS, Settings, load
from operations.cli import main
from tests.test_contracts import tracked

ROOT = Path(__file__).resolve().parent.parent

DOCUMENTS = [n for n in tracked() if n.endswith(".md") and not n.startswith("docs/templates/")]
TOP = (
    "earshot",
    "collectors",
    "classifier",
    "router",
    "dashboard",
    "operations",
    "config",
    "migrations",
)
TREES = (*TOP, "tests", "docs", "bench", "deploy")

COMMANDS = dict(walk(main, ("earshot",)))

FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SETTING = re.compile(r"EARSHOT_[A-Z][A-Z0-9_]*")


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def blocks(name: str, *languages: str) -> Iterator[str]:
    return (body for language, body in FENCED.findall(text_of(name)) if language in languages)


def spans(name: str) -> list[str]:
    return INLINE.findall(FENCED.sub("", text_of(name)))


def shell_lines(name: str) -> Iterator[str]:
    """Every command of a document: the lines of its shell blocks, and its inline code."""
    for body in blocks(name, "sh"):
        yield from body.replace("\\\n", " ").splitlines()
    yield from spans(name)


# ------------------------------------------------------------------------------ generated pages


@pytest.mark.parametrize("name", sorted(generate.pages()))
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    path = generate.REFERENCE / name
    assert path.exists(), f"{name} is missing; run `make docs`"
    assert path.read_text() == generate.pages()[name], f"{name} is stale; run `make docs`"


def test_writing_the_reference_removes_pages_that_are_none_any_more(tmp_path: Path) -> None:
    stray = tmp_path / "gone.md"
    stray.write_text("old")
    generate.write(tmp_path)
    assert not stray.exists()
    assert (tmp_path / "settings.md").read_text() == generate.pages()["settings.md"]


def test_a_key_without_a_meaning_is_named() -> None:
    meanings = {key.path: "" for key in keys_of(Settings)} | {"log.nonsense": ""}
    with pytest.raises(operator_pages.Unexplained, match=r"\[x\].*log\.nonsense"):
        operator_pages.explained("x", list(keys_of(Settings)), meanings)


@pytest.mark.parametrize("kind", ["how-to", "explanation"])
def test_every_page_that_is_written_by_hand_is_in_the_index(kind: str) -> None:
    index = text_of("docs/README.md")
    pages = {f"{kind}/{path.name}" for path in (ROOT / "docs" / kind).glob("*.md")}
    assert pages == {page for page in pages if f"({page})" in index}


def test_every_page_of_the_reference_is_in_the_index() -> None:
    index = text_of("docs/README.md")
    assert not [name for name in generate.pages() if "/" not in name and name not in index]


# ---------------------------------------------------------------------------------------- links


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_of_a_document_leads_to_a_file(name: str) -> None:
    for target in LINK.findall(FENCED.sub("", text_of(name))):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        found = (ROOT / name).parent / path if path else ROOT / name
        assert found.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{name} links to {target}"


def anchors(text: str) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-") for head in heads}


# ------------------------------------------------------------------------------ names in the text


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_a_document_names_exists(name: str) -> None:
    if name == "CHANGELOG.md":
        return  # it tells of files as they were
    for span in spans(name):
        word = span.rstrip("/")
        # CAPITALS stand for a name that the reader chooses
        if word.split("/")[0] in TREES and re.fullmatch(r"[a-z0-9_./-]+/?", span) and "/" in span:
            assert (ROOT / word).exists(), f"{name} names {span}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_a_document_names_exists(name: str) -> None:
    for line in shell_lines(name):
        for words in earshot_calls(line):
            check_call(words, f"{name}: {line}")


CALL = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:(?:\.venv/bin/|python -m )?earshot|docker compose run --rm serve) (.+)"
)


def earshot_calls(line: str) -> Iterator[list[str]]:
    """The words behind `earshot` in a shell line, and behind the service in compose's `run`."""
    found = CALL.fullmatch(line.strip())
    if found:
        yield shlex.split(found[1].replace("…", ""), comments=True)


def test_the_documents_call_most_commands() -> None:
    called = {
        words[0]
        for name in DOCUMENTS
        for line in shell_lines(name)
        for words in earshot_calls(line)
    }
    assert {"up", "check", "ledger", "dead", "person", "train", "db"} <= called


def check_call(words: list[str], where: str) -> None:
    """Walk the groups, and look every option up; arguments may be anything."""
    called: tuple[str, ...] = ("earshot",)
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            options = {o: p for p in COMMANDS[called].params for o in p.opts} | {"--help": None}
            assert word in options, where
            option = options[word]
            if isinstance(option, click.Option) and not option.is_flag:
                next(rest)
        elif isinstance(COMMANDS[called], click.Group):
            called = (*called, word)
            assert called in COMMANDS, where


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_target_that_a_document_names_is_in_the_makefile(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    for line in shell_lines(name):
        found = re.match(r"(?:[A-Z_]+=\S+ )*make ([a-z]+)", line)
        if found:
            assert found[1] in targets, f"{name}: {line}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_variable_that_a_document_names_is_a_setting(name: str) -> None:
    ours = {operator_pages.variable(key.path) for key in keys_of(Settings)}
    outside = NOT_SETTINGS
    for variable in SETTING.findall(text_of(name)):
        if variable.startswith(("EARSHOT_SOURCES__", "EARSHOT_TEST_")):
            continue  # a source's own keys; what tests take their services from
        assert variable in ours | outside, f"{name} names {variable}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_setting_that_a_document_names_exists(name: str) -> None:
    paths = {key.path for key in keys_of(Settings)}
    sections = {path.partition(".")[0] for path in paths if "." in path}
    for span in spans(name):
        found = re.match(r"([a-z]+)\.[a-z_]+(?= = |$)", span)
        if found and found[1] in sections and not (ROOT / span).exists():
            assert found[0] in paths, f"{name} names the setting {found[0]}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_example_of_settings_is_accepted(name: str, tmp_path: Path) -> None:
    for body in blocks(name, "toml"):
        path = tmp_path / "example.toml"
        path.write_text(body)
        for entry in load(path, {}).entries():
            known = {key.path for key in keys_of(PLATFORMS[entry.kind].config)}
            assert set(entry.options) <= known, f"{name}: {sorted(set(entry.options) - known)}"
        assert tomllib.loads(body)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_variable_of_a_source_that_a_document_names_is_a_key_of_its_kind(name: str) -> None:
    examples = [load_kinds(body) for body in blocks(name, "toml")]
    kinds = {source: kind for example in examples for source, kind in example.items()}
    for source, key in re.findall(r"EARSHOT_SOURCES__([A-Z0-9_-]+?)__([A-Z_]+)", text_of(name)):
        kind = kinds.get(source.lower())
        if kind is not None:
            known = {key.path for key in keys_of(PLATFORMS[kind].config)}
            assert key.lower() in known, f"{name}: {source} has no {key.lower()}"


def load_kinds(body: str) -> dict[str, str]:
    tables = tomllib.loads(body).get("sources", {})
    return {name: table["kind"] for name, table in tables.items()}


# ------------------------------------------------------------------------------------ front door


def test_the_readme_says_both_commands_and_they_resolve() -> None:
    said = [line for body in blocks("README.md", "sh") for line in body.split("\n") if line]
    assert said == ["make run", "make test"]
    for line in said:
        done = subprocess.run(
            [*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_every_target_explains_itself() -> None:
    phony = set(re.findall(r"^\.PHONY: (\w+)", text_of("Makefile"), re.MULTILINE))
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert phony - {"help"} == set(re.findall(r"^  make (\w+)", listed.stdout, re.MULTILINE))


def test_the_architecture_is_two_pages() -> None:
    assert 70 <= len(text_of("ARCHITECTURE.md").splitlines()) <= 130


def test_every_schema_of_the_reference_is_a_json_schema() -> None:
    for name, text in generate.pages().items():
        if name.endswith(".json"):
            assert msgspec.json.decode(text)["$defs"]
