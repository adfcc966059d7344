"""What an operator writes, as tables: settings, sources, brands, routing policies."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from collectors.contract.config import SourceConfig
from collectors.platforms.registry import PLATFORMS
from docs.shapes import Key, keys_of
from earshot.brand import Brand
from earshot.settings import Settings
from router.policy.expression import MACROS, Fields
from router.policy.fact_tests import OPERATORS
from router.policy.facts import AGENT, ITEM
from router.policy.policy_schema import PolicyPart

ROOT = Path(__file__).resolve().parent.parent
MEANINGS: Mapping[str, Any] = tomllib.loads((ROOT / "docs/meanings.toml").read_text())


class Unexplained(Exception):
    """A key without a meaning, or a meaning without a key; the message names it."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    cells = ([cell.replace("|", "&#124;") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def same(keys: Iterable[str], meanings: Iterable[str], where: str) -> None:
    """Raise Unexplained unless both are the same names."""
    strange = sorted(set(keys) ^ set(meanings))
    if strange:
        raise Unexplained(f"{where} and the code differ in {', '.join(strange)}")


def explained(where: str, keys: Sequence[Key], meanings: Mapping[str, str]) -> str:
    """A table of keys with their meanings. Raises Unexplained."""
    same([key.path for key in keys], meanings, f"[{where}] of docs/meanings.toml")
    rows = [(f"`{key.path}`", key.shape, key.default, meanings[key.path]) for key in keys]
    return table(("key", "type", "default", "meaning"), rows)


def settings() -> str:
    keys = [key for key in keys_of(Settings) if key.shape != "section" and key.path != "sources"]
    said = comments((ROOT / "config/earshot.toml").read_text())
    same([key.path for key in keys], said, "config/earshot.toml")
    rows = [
        (f"`{key.path}`", f"`{variable(key.path)}`", key.shape, key.default, said[key.path])
        for key in keys
    ]
    return table(("setting", "variable", "type", "default", "meaning"), rows)


def variable(path: str) -> str:
    """The environment's variable that sets `path`."""
    return f"EARSHOT_{path.upper().replace('.', '__')}"


def comments(text: str) -> dict[str, str]:
    """Each key's path in a TOML text, with the comment right above it or its neighbours."""
    found: dict[str, str] = {}
    section, said = "", ""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(line.removeprefix("#").strip())
            continue
        if line.startswith("["):
            section = line.strip("[]") + "."
        elif "=" in line:
            said = " ".join(lines) or said
            found[section + line.split("=")[0].strip()] = said
        lines = []
    return found


def sources() -> str:
    same(PLATFORMS, MEANINGS["sources"], "[sources] of docs/meanings.toml")
    return "\n".join(_source(kind, PLATFORMS[kind].config) for kind in sorted(PLATFORMS))


def _source(kind: str, config: type[SourceConfig]) -> str:
    keys = [
        replace(key, shape=f"{key.shape}, secret") if key.path in config.secrets else key
        for key in keys_of(config)
    ]
    return f"## {kind}\n\n{explained(f'sources.{kind}', keys, MEANINGS['sources'][kind])}"


def brand() -> str:
    keys = [key for key in keys_of(Brand) if key.path != "slug"]
    return explained("brand", keys, MEANINGS["brand"])


def routing() -> str:
    return explained("routing", [*keys_of(PolicyPart)], MEANINGS["routing"])


def macros() -> str:
    return ", ".join(f"`{name}`" for name in MACROS)


def operators() -> str:
    said = MEANINGS["operators"]
    same(OPERATORS, said, "[operators] of docs/meanings.toml")
    rows = [(f"`{name}`", f"`{sign}`", said[name]) for name, (sign, _) in OPERATORS.items()]
    return table(("comparison", "in CEL", "holds when the fact is"), rows)


def facts() -> str:
    keys = [*_facts(ITEM), *_facts(AGENT)]
    same([key.path for key in keys], MEANINGS["facts"], "[facts] of docs/meanings.toml")
    rows = [(f"`{key.path}`", key.shape, MEANINGS["facts"][key.path]) for key in keys]
    return table(("field", "type", "meaning"), rows)


def _facts(fields: Fields) -> Iterator[Key]:
    """The paths that an expression may name, typed by the sample values."""
    ((root, sample),) = fields.samples[0].items()
    yield from _walk(root, sample)


_SHAPES: Mapping[type, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list of text",
    dict: "mapping of name to whole number",
}


def _walk(path: str, value: Any) -> Iterator[Key]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _walk(f"{path}.{name}", inner)
    else:
        yield Key(path, _SHAPES[type(value)], "")
