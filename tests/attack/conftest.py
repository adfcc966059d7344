"""The desk and the browser that attacks are made on."""

from __future__ import annotations

from tests.dashboard.conftest import chromium, world, world_on_each_database

__all__ = ["chromium", "world", "world_on_each_database"]
