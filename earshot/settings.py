"""Settings: one frozen tree, resolved once from a TOML file and then the environment.

`load` is called by the command line and by nothing else; no other module reads the
environment. An unknown key, a misspelt variable and a wrong type are errors that name it.
`config/earshot.toml` lists every setting with its default and a line of explanation; a test
compares the two.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PREFIX = "EARSHOT_"

CRASH_AT = "EARSHOT_CRASH_AT"
"""Ends a role in the middle of its work, for tests: `earshot.runtime.crash_points`."""

NOT_SETTINGS = frozenset({"EARSHOT_CONFIG", "EARSHOT_DATA_DIR", CRASH_AT})
"""Variables of the same prefix that are no settings, besides those of the tests."""

_TEST_PREFIX = "EARSHOT_TEST_"

Port = Annotated[int, Meta(ge=0, le=65_535)]
Seconds = Annotated[float, Meta(gt=0, le=1e9)]


class SettingsError(Exception):
    """A setting is wrong; the message names it, its value and what to do."""


_SECRETS = frozenset({"secret_key", "sasl_password", "url", "keys"})
"""Keys that no log or traceback may show; a URL can hold a password."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the settings: immutable, strict about unknown keys, silent about secrets."""

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        shown = (
            f"{name}={'***' if name in _SECRETS and value else repr(value)}"
            for name, value in values.items()
        )
        return f"{type(self).__name__}({', '.join(shown)})"

    __str__ = __repr__


class Database(_Section, frozen=True):
    """`url` empty means SQLite below the home folder."""

    url: str = ""


class Log(_Section, frozen=True):
    """`url` empty means the SQLite log below the home folder."""

    url: str = ""
    partitions: Annotated[int, Meta(ge=1, le=256)] = 4
    replication: Annotated[int, Meta(ge=1, le=5)] = 1
    retention_s: Seconds = 7 * 86_400.0
    spool_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_024
    messages_per_record: Annotated[int, Meta(ge=1, le=64)] = 1
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""


class Web(_Section, frozen=True):
    """The desk. `secret_key` empty means one kept in the home folder."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    secret_key: str = ""
    secure_cookies: bool = False
    proxies: Annotated[int, Meta(ge=0, le=10)] = 0
    threads: Annotated[int, Meta(ge=40, le=2_000)] = 256
    undo_send_s: Annotated[int, Meta(ge=0, le=600)] = 10


class Credentials(_Section, frozen=True):
    """The master keys of stored credentials. `file` empty means one kept in the home folder."""

    keys: str = ""
    file: str = ""


class Classify(_Section, frozen=True):
    """`model` empty means the one that is shipped."""

    batch_size: Annotated[int, Meta(ge=1, le=5_000)] = 1_000
    model: str = ""


class Route(_Section, frozen=True):
    batch_size: Annotated[int, Meta(ge=1, le=5_000)] = 1_000
    sweep_every_s: Seconds = 0.5


class Maintain(_Section, frozen=True):
    every_s: Seconds = 0.5


class Send(_Section, frozen=True):
    """`lease_s` must exceed the longest a platform may take to answer."""

    every_s: Seconds = 0.5
    lease_s: Annotated[float, Meta(ge=30)] = 90.0
    confirm_after_s: Seconds = 2.0


class Telemetry(_Section, frozen=True):
    """`format` is `human` or `json`; `port` is the first of the roles' ports, 0 for any."""

    format: Literal["human", "json"] = "human"
    level: Literal["debug", "info", "warning", "error"] = "info"
    host: str = "127.0.0.1"
    port: Port = 9_464


class Retention(_Section, frozen=True):
    """Days after which what has ended is purged (`operations.retention.purge`); 0: never."""

    days: Annotated[int, Meta(ge=0, le=36_500)] = 0
    brands: dict[str, Annotated[int, Meta(ge=0, le=36_500)]] = {}
    sources: dict[str, Annotated[int, Meta(ge=0, le=36_500)]] = {}


class Demo(_Section, frozen=True):
    """The simulated brand: used when no source is configured."""

    rate: Annotated[float, Meta(ge=0)] = 2.0
    crew: bool = True


class SourceEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One `[sources.NAME]`: whose it is, its kind, and the options of that kind."""

    name: str
    brand: str
    kind: str
    options: Mapping[str, Any]

    def __repr__(self) -> str:
        names = ", ".join(sorted(self.options))
        return f"SourceEntry({self.name!r}, brand={self.brand!r}, kind={self.kind!r}, {names})"


class Settings(_Section, frozen=True):
    """All settings. `home` is where data lie when no server is named."""

    home: str = ".earshot"
    brands: str = "config/brands"
    database: Database = Database()
    log: Log = Log()
    web: Web = Web()
    credentials: Credentials = Credentials()
    classify: Classify = Classify()
    route: Route = Route()
    maintain: Maintain = Maintain()
    send: Send = Send()
    telemetry: Telemetry = Telemetry()
    retention: Retention = Retention()
    demo: Demo = Demo()
    sources: dict[str, Any] = {}

    @property
    def home_path(self) -> Path:
        return Path(self.home).resolve()

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.home_path / 'earshot.db'}"

    def resolve(self, path: str) -> Path:
        """A path of the settings: as it is, or below the product's folder.

        So that the files that are shipped are found from whichever folder a role is started.
        """
        given = Path(path)
        if given.is_absolute() or given.exists():
            return given
        return Path(__file__).resolve().parent.parent / given

    def entries(self) -> tuple[SourceEntry, ...]:
        """The configured sources, in the order of the file. Raises SettingsError."""
        return tuple(_entry(name, raw) for name, raw in self.sources.items())

    def __repr__(self) -> str:
        return f"Settings(home={self.home!r})"

    __str__ = __repr__


def load(path: Path | None, env: Mapping[str, str]) -> Settings:
    """The settings of the file at `path` (None: defaults), overridden by `env`.

    `EARSHOT_SECTION__KEY` sets `key` of `[section]`, `EARSHOT_SOURCES__NAME__KEY` that of a
    source, and `PORT` the web port. A source's name is written in capitals there, with `_`
    where it has a hyphen. Raises SettingsError.
    """
    raw = _read(path) if path else {}
    places: dict[tuple[str, ...], str] = {}
    for variable, value in sorted(env.items()):
        if variable == "PORT":
            steps = ["web", "port"]
        elif variable.startswith(PREFIX) and not (
            variable in NOT_SETTINGS or variable.startswith(_TEST_PREFIX)
        ):
            steps = _steps(raw, variable)
        else:
            continue
        _put(raw, steps, value, variable)
        places[tuple(steps)] = variable
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(_in_words(str(error), raw, path, places)) from error
    settings.entries()
    return settings


def _steps(raw: Mapping[str, Any], variable: str) -> list[str]:
    """Where a variable's value belongs. A source that the file names is found by its name."""
    steps = variable.removeprefix(PREFIX).lower().split("__")
    sources = raw.get("sources")
    if steps[0] == "sources" and len(steps) > 1 and isinstance(sources, dict):
        known = {name.lower().replace("-", "_"): name for name in sources}
        steps[1] = known.get(steps[1], steps[1])
    return steps


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; create it or correct the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _put(raw: dict[str, Any], steps: list[str], value: str, variable: str) -> None:
    """Set one value; a variable that names no setting is refused by its own name."""
    known: Any = Settings
    target = raw
    for step in steps[:-1]:
        known = _below(known, step, variable)
        inner = target.setdefault(step, {})
        if not isinstance(inner, dict):
            raise SettingsError(f"{variable}: {step!r} is a single value, not a section")
        target = inner
    if isinstance(_below(known, steps[-1], variable), type(msgspec.Struct)):
        raise SettingsError(f"{variable} names a section; say which key: {variable}__KEY")
    target[steps[-1]] = value


def _below(known: Any, step: str, variable: str) -> Any:
    """What is below `known` under the name `step`; None where anything may be."""
    if not isinstance(known, type(msgspec.Struct)):
        return None
    fields = {f.name: f.type for f in msgspec.structs.fields(known)}
    if step not in fields:
        nearest = ", ".join(sorted(fields))
        raise SettingsError(f"{variable} is no setting: {step!r} is not one of {nearest}")
    return fields[step]


def _entry(name: str, raw: Any) -> SourceEntry:
    if not isinstance(raw, dict):
        raise SettingsError(
            f"sources.{name} is a single value; write a table [sources.{name}] with brand and kind"
        )
    missing = [key for key in ("brand", "kind") if not isinstance(raw.get(key), str)]
    if missing:
        raise SettingsError(f"sources.{name} needs {' and '.join(missing)}")
    options = {key: value for key, value in raw.items() if key not in ("brand", "kind")}
    return SourceEntry(name=name, brand=raw["brand"], kind=raw["kind"], options=options)


def _in_words(
    message: str, raw: Mapping[str, Any], file: Path | None, places: Mapping[tuple[str, ...], str]
) -> str:
    """A complaint of msgspec, with the setting's name, its value, and where it was set."""
    said, _, where = message.partition(" - at `$")
    steps = tuple(where.strip("`.").split(".")) if where else ()
    value: Any = raw
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    shown = "" if value is None or isinstance(value, dict) else f" is {_shown(steps[-1], value)}"
    place = places.get(steps) or (str(file) if file else "the environment")
    return f"{'.'.join(steps) or 'settings'}{shown}: {said} (set in {place}); correct it there"


def _shown(key: str, value: object) -> str:
    return "a secret" if key in _SECRETS else repr(value)[:100]
