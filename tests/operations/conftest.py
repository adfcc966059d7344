"""A migrated database and a disk that is soon full, as the kernel's tests have them."""

from __future__ import annotations

from tests.earshot.conftest import sessions, small_disk

__all__ = ["sessions", "small_disk"]
