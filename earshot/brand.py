"""A brand as its operator describes it: names, queries, topics, languages.

Read from `<brands>/<slug>/brand.yaml`; the routing policy is beside it. The folder's
name is the brand's slug, which every row of the database carries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from earshot import yaml_source
from earshot.yaml_source import OperatorError, YamlSource

SLUG = re.compile(r"[a-z][a-z0-9-]{0,39}")
LANGUAGE = re.compile(r"[a-z]{2}")


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of the file: immutable, and strict about unknown keys."""


class TopicText(_Part, frozen=True):
    """A topic in words: what it is about, and things that people say about it."""

    description: str
    examples: tuple[str, ...] = ()


class Brand(_Part, frozen=True):
    """`queries` maps a name to a boolean expression; a post that matches one is a mention.

    `topics` maps a topic's name to its description. `languages` are ISO 639-1 codes that the
    brand answers in, the main one first. `timezone` is an IANA name, used for reports.
    """

    name: str
    queries: dict[str, str]
    topics: dict[str, TopicText] = {}
    languages: tuple[str, ...] = ("en",)
    timezone: str = "UTC"
    slug: str = ""


def load(folder: Path) -> Mapping[str, Brand]:
    """Every brand below `folder`, by slug. Raises OperatorError."""
    found = sorted(folder.glob("*/brand.yaml"))
    if not found:
        raise OperatorError(f"{folder}: no brand here; write {folder}/<brand>/brand.yaml")
    brands = {}
    for path in found:
        slug = path.parent.name
        source = yaml_source.read(path)
        if not SLUG.fullmatch(slug):
            raise OperatorError(
                f"{path.parent}: a brand's folder is named in lower-case letters, digits and "
                f"hyphens, beginning with a letter; {slug!r} is not"
            )
        brand = source.convert(Brand)
        _check(brand, source)
        brands[slug] = msgspec.structs.replace(brand, slug=slug)
    return brands


def _check(brand: Brand, source: YamlSource) -> None:
    """Raise OperatorError for what the types allow and no brand can be."""
    if not brand.queries:
        raise source.error("a brand needs at least one query", "queries")
    if brand.slug:
        raise source.error("the folder's name is the brand's slug; delete this line", "slug")
    for number, code in enumerate(brand.languages):
        if not LANGUAGE.fullmatch(code):
            raise source.error(
                f"{code!r} is no ISO 639-1 code; write two small letters, as in en",
                "languages",
                number,
            )
    if not brand.languages:
        raise source.error("a brand answers in at least one language, as in [en]", "languages")
    try:
        ZoneInfo(brand.timezone)
    except (ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise source.error(
            f"{brand.timezone!r} is no time zone; write one as in Europe/Madrid", "timezone"
        ) from error
