"""The desk and the browser that attacks are made on."""

from __future__ import annotations

from tests.dashboard.conftest import chromium, world

__all__ = ["chromium", "world"]
