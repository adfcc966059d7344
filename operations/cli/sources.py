"""From `[sources.NAME]` to a source and a responder; the simulator where none is configured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from earshot import brand as brands_file
from earshot.brand import Brand
from earshot.items.reply_length import ReplyLength
from earshot.settings import Settings, SettingsError, SourceEntry
from earshot.yaml_source import OperatorError

if TYPE_CHECKING:
    from collectors.contract.config import SourceConfig
    from collectors.contract.platform import Platform
    from collectors.contract.source import Responder, Source
    from collectors.matching.matching import Matcher

DEMO_SOURCE = "world"


@dataclass(frozen=True)
class Built:
    """One configured source: whose it is, and how to connect it in either direction."""

    name: str
    brand: str
    platform: Platform
    config: SourceConfig
    home: Path

    def source(self) -> Source:
        return self.platform.source(self.config, self.home / self.name)

    def responder(self) -> Responder | None:
        return self.platform.responder(self.config, self.home / self.name)

    def reply_length(self) -> ReplyLength:
        return self.platform.reply_length(self.config)


def entries(settings: Settings) -> tuple[SourceEntry, ...]:
    """The configured sources, or the simulated brand's when there are none."""
    configured = settings.entries()
    if configured:
        return configured
    from collectors.platforms.registry import DEMO

    slug = min(brands_file.load(settings.resolve(settings.brands)))
    return (
        SourceEntry(name=DEMO_SOURCE, brand=slug, kind=DEMO, options={"rate": settings.demo.rate}),
    )


def build_matcher(brand: Brand) -> Matcher:
    """The brand's queries, compiled. Raises OperatorError that names brand, query and column."""
    from collectors.matching.matching import compile_queries
    from collectors.matching.query import BadQuery

    try:
        return compile_queries(brand.queries)
    except BadQuery as error:
        raise OperatorError(f"brand {brand.slug}: {error}") from error


def is_demo(settings: Settings) -> bool:
    return not settings.sources


class StoredCredentials:
    """The secrets in the database, which is opened only if a source names one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, brand: str, name: str) -> str:
        """A secret. Raises CredentialError, and what the database raises."""
        from earshot.database import db, schema
        from earshot.runtime import connect
        from earshot.secrets import credentials, key_file

        engine = connect.open_database(self._settings)
        try:
            schema.require(engine)
            with db.open_readers(engine).begin() as session:
                ring = key_file.load(self._settings)
                return credentials.reveal(session, ring, brand, name)
        finally:
            engine.dispose()


def _revealed(
    entry: SourceEntry, secrets: frozenset[str], credentials: StoredCredentials
) -> dict[str, Any]:
    """The options of a source with the secrets that it names by `{ credential = "NAME" }`."""
    options = dict(entry.options)
    for key, value in entry.options.items():
        if not isinstance(value, dict) or set(value) != {"credential"}:
            continue
        where = f"sources.{entry.name}.{key}"
        if key not in secrets:
            raise SettingsError(
                f"{where} names a credential, but is no secret; of this kind those are "
                f"{', '.join(sorted(secrets)) or 'none'}"
            )
        if not isinstance(value["credential"], str):
            raise SettingsError(f"{where}.credential must be the name of a credential, in quotes")
        options[key] = credentials(entry.brand, value["credential"])
    return options


def build_sources(settings: Settings) -> dict[str, Built]:
    """Every source by name. Raises SettingsError that names source and key, CredentialError."""
    from collectors.platforms.registry import PLATFORMS

    credentials = StoredCredentials(settings)

    brands = brands_file.load(settings.resolve(settings.brands))
    found = {}
    for entry in entries(settings):
        if entry.brand not in brands:
            raise SettingsError(
                f"sources.{entry.name}.brand is {entry.brand!r}; "
                f"the brands are {', '.join(sorted(brands))}"
            )
        platform = PLATFORMS.get(entry.kind)
        if platform is None:
            raise SettingsError(
                f"sources.{entry.name}.kind is {entry.kind!r}; "
                f"the kinds are {', '.join(sorted(PLATFORMS))}"
            )
        options = _revealed(entry, platform.secrets, credentials)
        try:
            config = platform.read(options)
        except (msgspec.ValidationError, ValueError) as error:
            raise SettingsError(f"sources.{entry.name}: {error}") from error
        home = settings.home_path / "sources"
        found[entry.name] = Built(entry.name, entry.brand, platform, config, home)
    return found
