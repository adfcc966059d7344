"""Addresses of static files that change with their content, and icons from the sprite."""

from __future__ import annotations

import hashlib
import logging
from functools import lru_cache
from pathlib import Path

from flask import Flask
from markupsafe import Markup, escape

DESK = Path(__file__).resolve().parents[1]
STATIC = DESK / "static"
ICONS = frozenset((DESK / "icons.txt").read_text().split())
URL = "/static"

_log = logging.getLogger(__name__)


def install(app: Flask) -> None:
    """Give templates `asset(name)` and `icon(name)`."""
    app.jinja_env.globals.update(asset=asset, icon=icon)


def asset(name: str) -> str:
    """The address of a file below `static/`, with its content's digest as the cache key.

    A file that is not there keeps its plain address: the pages work without scripts, and a
    desk without them is better than none.
    """
    path = STATIC / name
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        _log.error("a static file is missing; run `python -m dashboard.frame.assets`: %s", name)
        return f"{URL}/{name}"
    return f"{URL}/{name}?v={_digest(path, changed)}"


@lru_cache(maxsize=256)
def _digest(path: Path, changed_ns: int) -> str:  # noqa: ARG001 -- a part of the cache key
    return hashlib.sha384(path.read_bytes()).hexdigest()[:12]


def icon(name: str) -> Markup:
    """An icon of the sprite, hidden from screen readers: the words beside it say it.

    Raises LookupError for a name that the sprite does not have.
    """
    if name not in ICONS:
        raise LookupError(
            f"the sprite has no icon {name!r}; add it to ICONS in dashboard/icons.txt "
            "(the names are those of lucide), then run `python -m dashboard.frame.assets`"
        )
    sprite = escape(asset("vendor/icons.svg"))
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" width="16" height="16" fill="none" '
        'stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" '
        'aria-hidden="true"><use href="{}#i-{}"/></svg>'
    ).format(sprite, name)
