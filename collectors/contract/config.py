"""What every source's settings share: frozen, complete, and without secrets in print."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import msgspec

from collectors.contract.validation import EARLIEST

Days = Annotated[float, msgspec.Meta(ge=0, le=36_500)]

FIRST_DAYS: Days = 2.0
"""How far back a first connection takes posts as work, where `first_days` says nothing else."""


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one source, read with `collectors.contract.platform.Platform.read`.

    A subclass names in `secrets` the fields that no log or traceback may show.
    """

    secrets: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (
            f"{name}={'***' if name in self.secrets and value else repr(value)}"
            for name, value in ((n, getattr(self, n)) for n in self.__struct_fields__)
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__


def first_stretch(first_days: float, now: datetime) -> datetime:
    """Where the stretch that a first connection takes as work begins. UTC."""
    return max(EARLIEST, now - timedelta(days=first_days))


def require(config: SourceConfig, *names: str) -> None:
    """Refuse empty settings. Raises ValueError that names the kind and every missing one."""
    missing = [name for name in names if not getattr(config, name)]
    if missing:
        raise ValueError(f"{type(config).__name__} needs {', '.join(missing)}: set it, or them")
