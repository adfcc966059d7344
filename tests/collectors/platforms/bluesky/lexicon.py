"""What a published lexicon of the AT Protocol has against a value: wrong types, unknown fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wcwidth import iter_graphemes

_FORMATS = {
    "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "did": r"did:[a-z]+:[A-Za-z0-9._:%-]+",
    "handle": r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*",
    "nsid": r"[a-z][a-z0-9.-]*\.[A-Za-z][A-Za-z0-9]*",
    "record-key": r"[A-Za-z0-9.:_~-]{1,512}",
    "tid": r"[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}",
    "cid": r"[a-z0-9]{8,}",
}
_TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}


class Lexicons:
    """Every lexicon below a folder, by its id."""

    def __init__(self, folder: Path) -> None:
        read = (json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("*.json"))
        self._by_id: dict[str, Mapping[str, Any]] = {
            document["id"]: document["defs"] for document in read if "lexicon" in document
        }

    def __getitem__(self, ref: str) -> Mapping[str, Any]:
        """The definition named `id#name`, or the main one of `id`."""
        home, _, name = ref.partition("#")
        found: Mapping[str, Any] = self._by_id[home][name or "main"]
        return found

    def flaws(self, ref: str, value: Any) -> list[str]:
        """All that is wrong with `value` as a `ref`, each with its path."""
        return list(self._flaws(self[ref], value, ref, ref.partition("#")[0]))

    def _flaws(self, kind: Mapping[str, Any], value: Any, path: str, home: str) -> Iterator[str]:
        if kind["type"] == "ref":
            ref = kind["ref"] if not kind["ref"].startswith("#") else home + kind["ref"]
            yield from self._flaws(self[ref], value, path, ref.partition("#")[0])
        elif kind["type"] == "unknown":
            if not isinstance(value, dict):
                yield f"{path} is no object: {value!r}"
        elif not _has_type(value, kind["type"]):
            yield f"{path} is no {kind['type']}: {value!r}"
        elif kind["type"] == "object":
            yield from self._object(kind, value, path, home)
        elif "format" in kind and not re.fullmatch(_FORMATS[kind["format"]], value):
            yield f"{path} is no {kind['format']}: {value!r}"

    def _object(
        self, kind: Mapping[str, Any], value: Mapping[str, Any], path: str, home: str
    ) -> Iterator[str]:
        known = kind.get("properties", {})
        for name in kind.get("required", ()):
            if name not in value:
                yield f"{path}.{name} is missing"
        for name, part in value.items():
            if name in known:
                yield from self._flaws(known[name], part, f"{path}.{name}", home)
            elif name != "$type":
                yield f"{path}.{name} is not in the lexicon"


def _has_type(value: Any, name: str) -> bool:
    return type(value) is _TYPES[name]


def too_long(text: str) -> str:
    """What a server says of a post's text by `app.bsky.feed.post`; nothing where it fits."""
    if sum(1 for _ in iter_graphemes(text)) > 300:
        return "Record/text must not be longer than 300 graphemes"
    return "Record/text must not be longer than 3000 bytes" if len(text.encode()) > 3_000 else ""
