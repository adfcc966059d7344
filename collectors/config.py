"""What every source's settings share: frozen, complete, and without secrets in print."""

from __future__ import annotations

from typing import ClassVar

import msgspec


class SourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one source, read with `collectors.platforms.Platform.read`.

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


def require(config: SourceConfig, *names: str) -> None:
    """Refuse empty settings. Raises ValueError that names the kind and every missing one."""
    missing = [name for name in names if not getattr(config, name)]
    if missing:
        raise ValueError(f"{type(config).__name__} needs {', '.join(missing)}: set it, or them")
