"""What outside text and links may look like before they go on: bounded, and never trusted."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

from earshot.domain import TEXT_LIMIT

NAME_LIMIT = 200
URL_LIMIT = 2_000
RAW_LIMIT = 64_000
"""The longest raw record kept of what could not be parsed, in bytes."""


def clean_text(raw: str, limit: int = TEXT_LIMIT) -> str:
    """`raw` without NUL and lone surrogates (no database stores them), at most `limit` long."""
    kept = raw[: limit * 2].replace("\x00", "")
    return kept.encode("utf-8", "ignore").decode()[:limit]


def clean_name(raw: str) -> str:
    """A person's name or handle on one line, at most `NAME_LIMIT` characters."""
    return clean_text(" ".join(raw[: NAME_LIMIT * 4].split()), NAME_LIMIT)


def clean_url(raw: str) -> str:
    """`raw` if it is an http(s) address of bounded length, else the empty string."""
    if len(raw) > URL_LIMIT or any(ord(char) <= ord(" ") for char in raw):
        return ""
    try:
        parts = urlsplit(raw)
    except ValueError:
        return ""
    return raw if parts.scheme in {"http", "https"} and parts.netloc else ""


def utc_time(raw: str) -> datetime:
    """An ISO 8601 time in UTC; one without a zone is taken as UTC. Raises ValueError."""
    moment = datetime.fromisoformat(raw)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def utc_now() -> datetime:
    """The wall clock: the default of every clock that a source or responder takes."""
    return datetime.now(UTC)
