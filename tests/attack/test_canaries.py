"""Secrets that sing: one in each place that holds one, then everything that can go wrong does."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from collectors.contract.source import Answer, PlatformError
from collectors.platforms.registry import PLATFORMS
from earshot.database import schema
from earshot.runtime import connect
from earshot.runtime.metrics import Metrics
from earshot.runtime.telemetry import set_up_logging
from earshot.settings import _SECRETS, Settings, SettingsError, load
from operations.cli import main
from operations.cli.error_messages import _words
from tests.attack.hostile_desk import make_hostile, paths, rules
from tests.collectors.platforms.loopback import Loopback, Reply, Request

CANARY = "canary-7c1e55"
NOW = datetime.now(UTC)


def secret_settings() -> list[tuple[str, str]]:
    """Section and key of every setting that holds a secret."""
    return [
        (section.name, key.name)
        for section in msgspec.structs.fields(Settings)
        if isinstance(section.type, type) and issubclass(section.type, msgspec.Struct)
        for key in msgspec.structs.fields(section.type)
        if key.name in _SECRETS
    ]


def a_source(kind: str, url: str) -> dict[str, Any]:
    """Settings of a source whose every secret is a canary of its own."""
    config = PLATFORMS[kind].config
    kinds: dict[str, dict[str, Any]] = {
        "x": {"account": "acme", "account_id": "1", "endpoint": url},
        "reddit": {
            "client_id": "id",
            "user_agent": "tests of earshot",
            "username": "acme",
            "subreddits": ["acme"],
            "endpoint": url,
        },
        "bluesky": {"identifier": "acme.test", "service": url, "endpoint": "ws://127.0.0.1:1"},
    }
    # a refresh token would be used in place of the password
    secrets = sorted(config.secrets - {"refresh_token"})
    return {**kinds[kind], "timeout_s": 5, **{name: f"{CANARY}-{name}" for name in secrets}}


SECRETIVE = sorted(kind for kind, platform in PLATFORMS.items() if platform.config.secrets)


def test_there_are_secrets_to_be_kept() -> None:
    assert set(SECRETIVE) == {"bluesky", "reddit", "x"}
    assert {("database", "url"), ("web", "secret_key"), ("credentials", "keys")} <= set(
        secret_settings()
    )


# ---------------------------------------------------------------- in print


def test_no_setting_is_printed() -> None:
    env = {f"EARSHOT_{section}__{key}".upper(): CANARY for section, key in secret_settings()}
    settings = load(None, env)
    parts = [getattr(settings, section) for section, _ in secret_settings()]
    assert all(vars_of(settings, section)[key] == CANARY for section, key in secret_settings())
    assert CANARY not in f"{settings}{settings!r}{parts}{parts!r}"


def vars_of(settings: Settings, section: str) -> dict[str, Any]:
    return msgspec.structs.asdict(getattr(settings, section))


@pytest.mark.parametrize("kind", SECRETIVE)
def test_no_source_is_printed(kind: str) -> None:
    options = a_source(kind, "http://127.0.0.1:1")
    config = PLATFORMS[kind].read(options)
    settings = Settings(sources={"s": {"brand": "acme", "kind": kind, **options}})
    assert CANARY not in f"{config}{config!r}{settings!r}{settings.entries()!r}"


@pytest.mark.parametrize("kind", SECRETIVE)
def test_what_is_wrong_with_a_source_is_said_without_its_secrets(kind: str) -> None:
    options = a_source(kind, "http://127.0.0.1:1")
    changes: list[dict[str, Any]] = [
        {"unknown": 1},
        {"account_id": "", "access_token": CANARY},
        {"timeout_s": CANARY.replace("canary", "x")},
        *({name: [CANARY]} for name in PLATFORMS[kind].config.secrets),
        *({name: ""} for name in options),
    ]
    for change in changes:
        said = ""
        try:
            PLATFORMS[kind].read({**options, **change})
        except (ValueError, TypeError) as error:
            said = "".join(traceback.format_exception(error))
        assert CANARY not in said, change


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{CANARY}@127.0.0.1:1/x",
        f"postgresql://u:{CANARY}:x@127.0.0.1/x",
        f"postgresql://u:{CANARY}@h:port/x",
        f"mysql://u:{CANARY}@h/x",
        f"{CANARY}",
    ],
)
@pytest.mark.parametrize("key", ["database", "log"])
def test_an_address_that_fails_is_told_without_its_password(
    key: str, url: str, tmp_path: Path
) -> None:
    given = url.replace("postgresql", "kafka").replace("mysql", "kafka") if key == "log" else url
    settings = load(None, {"EARSHOT_HOME": str(tmp_path), f"EARSHOT_{key.upper()}__URL": given})
    with pytest.raises(Exception) as caught:  # noqa: PT011 -- whichever it is, it must not tell
        schema.current(connect.open_database(settings)) if key == "database" else connect.open_log(
            settings, "t"
        )
    said = _words(caught.value, settings) or str(caught.value)
    assert CANARY not in said
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_no_command_prints_a_secret(tmp_path: Path) -> None:
    config = tmp_path / "earshot.toml"
    tables = [
        f"[sources.{kind}]\nbrand = 'acme'\nkind = '{kind}'\n"
        + "".join(
            f"{k} = {json.dumps(v)}\n" for k, v in a_source(kind, "http://127.0.0.1:1").items()
        )
        for kind in SECRETIVE
    ]
    config.write_text("\n".join(tables))
    env = {"EARSHOT_HOME": str(tmp_path / "home"), "EARSHOT_WEB__SECRET_KEY": CANARY}
    runner = CliRunner(env=env)
    said = ""
    for words in ("db upgrade", "db current", "check", "ledger", "dead list", "credential list"):
        result = runner.invoke(main, ["--config", str(config), *words.split()])
        assert result.exit_code == 0, result.output
        said += result.output
    broken = config.read_text().replace("timeout_s = 5", "timeout_s = 'x'")
    config.write_text(broken)
    result = runner.invoke(main, ["--config", str(config), "check"])
    assert result.exit_code == 1
    assert CANARY not in said + result.output


def test_a_misplaced_secret_is_not_repeated() -> None:
    for variable in ("EARSHOT_WEB__PORT", "EARSHOT_LOG__SASL_PASSWORT", "EARSHOT_CREDENTIALS"):
        with pytest.raises(SettingsError) as caught:
            load(None, {variable: CANARY})
        assert CANARY not in str(caught.value) or variable == "EARSHOT_WEB__PORT"


# ---------------------------------------------------------------- in logs and errors


class Parrot(Loopback):
    """Answers each request with a failure that repeats all of it, head and body."""

    status = 500

    def handle(self, request: Request) -> Reply:
        said = {**request.headers, "body": request.body.decode("latin-1"), "path": request.path}
        body = {"error": json.dumps(said), "message": said, "errors": [{"message": str(said)}]}
        return Reply(self.status, body, {"X-Said": request.headers.get("authorization", "")})


@pytest.fixture
def debug_log(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """All that is logged at the level that tells most, by us and by every library."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    set_up_logging("test", style="human", level="debug")
    yield lambda: "".join(capfd.readouterr())
    root.setLevel(before[0])
    root.handlers[:] = before[1]


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 429, 500, 503, 200])
@pytest.mark.parametrize("kind", SECRETIVE)
def test_a_failing_platform_makes_no_client_tell(
    kind: str, status: int, debug_log: Callable[[], str], tmp_path: Path
) -> None:
    with Parrot() as server:
        server.status = status
        platform = PLATFORMS[kind]
        config = platform.read(a_source(kind, server.url))
        source, responder = platform.source(config, tmp_path), platform.responder(config, tmp_path)
        assert responder is not None
        at = "at://did:plc:a/app.bsky.feed.post/1"
        address = {"uri": at, "cid": "c", "root_uri": at, "root_cid": "c"}
        answer = Answer(key="k", parent="1", thread="1", text="Hi", since=NOW, address=address)
        said = [repr(responder.send(answer))]
        part = source.parts()[0]
        named = source.poll(part, None).cursor  # the very first poll asks the platform nothing
        for ask in (lambda: source.poll(part, named), lambda: responder.read(answer)):
            try:
                said.append(repr(ask()))
            except PlatformError as error:
                logging.getLogger("earshot").warning("failed", exc_info=error)
                said += [str(error), repr(error), *traceback.format_exception(error)]
        source.close()
        responder.close()
        heard = repr(server.requests)
    assert CANARY in heard, "the clients did use their secrets"
    assert CANARY not in debug_log() + "".join(said)


def test_neither_pages_nor_metrics_hold_the_key_of_the_forms(tmp_path: Path) -> None:
    metrics = Metrics("serve")
    world = make_hostile(tmp_path, ("one", "two"), secret_key=CANARY)
    browser = world.browser("ada")
    for rule in rules(world, "GET"):
        for path in paths(world, rule):
            answer = browser.get(path)
            assert CANARY not in answer.text + str(answer.headers)
    assert CANARY not in metrics.text().decode()
    world.sessions.kw["bind"].dispose()
