"""Writes docs/reference/ from the code: `make docs`. A test fails when a page is stale.

The prose of a page is in docs/templates/, its tables are drawn from the code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template

from docs import operator_pages, system_pages
from docs.topic_schemas import schemas
from earshot.domain import ItemState, ReplyState
from earshot.items.events import EventKind

DOCS = Path(__file__).resolve().parent
REFERENCE = DOCS / "reference"

_NOTE = "<!-- Written by `make docs`: change docs/templates/ or the code instead. -->\n\n"


def pages() -> Mapping[str, str]:
    """Every generated file's text, by its path below docs/reference/."""
    tables = {
        "settings": operator_pages.settings(),
        "sources": operator_pages.sources(),
        "brand": operator_pages.brand(),
        "routing": operator_pages.routing(),
        "macros": operator_pages.macros(),
        "facts": operator_pages.facts(),
        "operators": operator_pages.operators(),
        "commands": system_pages.commands(),
        "topics": system_pages.topics(),
        "metrics": system_pages.metrics(),
        "item_states": system_pages.words(ItemState),
        "reply_states": system_pages.words(ReplyState),
        "item_flags": system_pages.item_flags(),
        "event_kinds": system_pages.words(EventKind),
        "ports": system_pages.ports(),
        "permissions": system_pages.permissions(),
    }
    written = {
        path.name: _NOTE + Template(path.read_text()).substitute(tables)
        for path in sorted((DOCS / "templates").glob("*.md"))
    }
    return written | {f"schemas/{name}": text.decode() for name, text in schemas().items()}


def write(folder: Path = REFERENCE) -> None:
    """Write every page, and remove what is no page any more."""
    wanted = pages()
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
            path.unlink()


if __name__ == "__main__":
    write()
