"""Where the conformance kits find each platform's world: beside its other tests."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from collectors.platforms.registry import PLATFORMS


def worlds(kind: str) -> dict[str, Any]:
    """By platform, its `SOURCE` or its `REPLIES`; those that are None are left out.

    Every platform must have a `world.py` that says both.
    """
    modules = {key: import_module(f"tests.collectors.platforms.{key}.world") for key in PLATFORMS}
    found = {key: getattr(module, kind) for key, module in modules.items()}
    return {key: world for key, world in found.items() if world is not None}
