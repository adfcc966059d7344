"""Settings: found where they are written, and every mistake told by its name."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from earshot.settings import Settings, SettingsError, load

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "earshot.toml"


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "earshot.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Every setting with its default, as nested mappings."""
    found: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(kind()).items():
        is_section = isinstance(value, msgspec.Struct)
        found[name] = _defaults(type(value)) if is_section else value
    return found


def test_the_shipped_file_lists_every_setting_with_its_default() -> None:
    listed = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))
    expected = _defaults(Settings)
    del expected["sources"]  # one table each: there is no default to list
    assert listed == expected


def test_every_setting_of_the_shipped_file_is_explained() -> None:
    explained = {"sasl_username", "sasl_password", "port"}  # by the line above
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if " = " in line and not line.startswith("#") and not above.startswith("#")
    ]
    assert {line.split(" = ")[0] for line in bare} <= explained


def test_without_file_and_environment_all_is_default() -> None:
    assert load(None, {}) == Settings() == load(SHIPPED, {})


def test_the_environment_goes_before_the_file(written: Any) -> None:
    file = written("home = '/from/file'\n[web]\nport = 1\nhost = 'a'\n")
    found = load(file, {"EARSHOT_WEB__PORT": "2", "HOME": "/root", "PATH": "x"})
    assert (found.web.port, found.web.host, found.home) == (2, "a", "/from/file")
    assert load(file, {"EARSHOT_HOME": "/e"}).home == "/e"


def test_port_sets_the_port_of_the_desk_before_all_else(written: Any) -> None:
    file = written("[web]\nport = 1\n")
    assert load(file, {"EARSHOT_WEB__PORT": "2", "PORT": "3"}).web.port == 3


def test_values_of_the_environment_become_what_the_setting_is() -> None:
    env = {
        "EARSHOT_DEMO__CREW": "false",
        "EARSHOT_DEMO__RATE": "0.5",
        "EARSHOT_CLASSIFY__BATCH_SIZE": "7",
        "EARSHOT_TELEMETRY__FORMAT": "json",
    }
    found = load(None, env)
    assert found.demo.crew is False
    assert (found.demo.rate, found.classify.batch_size) == (0.5, 7)
    assert found.telemetry.format == "json"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"EARSHOT_LGO__URL": "x"}, "EARSHOT_LGO__URL is no setting: 'lgo' is not one of"),
        ({"EARSHOT_LOG__URLL": "x"}, "EARSHOT_LOG__URLL is no setting: 'urll' is not one of"),
        ({"EARSHOT_LOG_URL": "x"}, "EARSHOT_LOG_URL is no setting"),
        ({"EARSHOT_HOEM": "x"}, "EARSHOT_HOEM is no setting"),
        ({"EARSHOT_": "x"}, "EARSHOT_ is no setting"),
        ({"EARSHOT_LOG": "x"}, "EARSHOT_LOG names a section; say which key: EARSHOT_LOG__KEY"),
        ({"PORT": "http"}, "web.port is 'http': Expected `int`, got `str` (set in PORT)"),
        ({"PORT": ""}, "web.port is '': Expected `int`"),
        ({"PORT": "65536"}, "web.port is '65536'"),
        ({"EARSHOT_WEB__PORT__X": "1"}, "web.port"),
        ({"EARSHOT_SEND__LEASE_S": "29"}, "send.lease_s is '29'"),
        ({"EARSHOT_SEND__EVERY_S": "nan"}, "send.every_s is 'nan'"),
        ({"EARSHOT_SEND__EVERY_S": "inf"}, "send.every_s is 'inf'"),
        ({"EARSHOT_DEMO__CREW": "perhaps"}, "demo.crew is 'perhaps'"),
        ({"EARSHOT_TELEMETRY__LEVEL": "loud"}, "telemetry.level is 'loud'"),
        ({"EARSHOT_TELEMETRY__FORMAT": "xml"}, "telemetry.format is 'xml'"),
        ({"EARSHOT_SOURCES": "x"}, "sources is 'x'"),
        ({"EARSHOT_SOURCES__X": "x"}, "sources.x is a single value"),
        ({"EARSHOT_SOURCES__X__KIND": "x"}, "sources.x needs brand"),
    ],
)
def test_a_wrong_variable_is_told_by_name_and_value(env: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as complaint:
        load(None, env)
    assert said in str(complaint.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hoem = 'x'", "unknown field `hoem`"),
        ("[log]\nurll = 'x'", "log: Object contains unknown field `urll`"),
        ("[lgo]\nurl = 'x'", "unknown field `lgo`"),
        ("[web]\nport = 'x'", "web.port is 'x'"),
        ("[web]\nport = -1", "web.port is -1"),
        ("[route]\nbatch_size = 0", "route.batch_size is 0"),
        ("web = 3", "web"),
        ("[web\nport = 1", "not TOML"),
        ("[sources.a]\nbrand = 'acme'", "sources.a needs kind"),
        ("[sources]\na = 1", "sources.a is a single value; write a table [sources.a]"),
    ],
)
def test_a_wrong_file_is_told_by_place_and_path(written: Any, text: str, said: str) -> None:
    file = written(text)
    with pytest.raises(SettingsError) as complaint:
        load(file, {})
    assert said in str(complaint.value)
    assert str(file) in str(complaint.value) or "sources.a" in said


def test_a_missing_or_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"none\.toml: No such file .*; create it"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "latin.toml").write_bytes(b"home = '\xe9'")
    with pytest.raises(SettingsError, match="not TOML"):
        load(tmp_path / "latin.toml", {})


def test_variables_of_the_tests_and_of_the_command_line_are_no_settings() -> None:
    env = {"EARSHOT_CONFIG": "x", "EARSHOT_DATA_DIR": "x", "EARSHOT_TEST_KAFKA": "x"}
    assert load(None, env) == Settings()


def test_a_secret_of_a_source_comes_from_the_environment(written: Any) -> None:
    file = written("[sources.x-mentions]\nbrand = 'acme'\nkind = 'x'\nmode = 'mentions'\n")
    found = load(file, {"EARSHOT_SOURCES__X_MENTIONS__BEARER_TOKEN": "s3cret"})
    (entry,) = found.entries()
    assert (entry.name, entry.brand, entry.kind) == ("x-mentions", "acme", "x")
    assert entry.options == {"mode": "mentions", "bearer_token": "s3cret"}


def test_a_source_may_come_from_the_environment_alone() -> None:
    env = {"EARSHOT_SOURCES__SIM__BRAND": "acme", "EARSHOT_SOURCES__SIM__KIND": "simulator"}
    (entry,) = load(None, env).entries()
    assert (entry.name, entry.brand, entry.kind) == ("sim", "acme", "simulator")


def test_no_secret_shows_in_print(written: Any) -> None:
    file = written(
        "[sources.a]\nbrand = 'acme'\nkind = 'x'\ntoken = 's3cret'\n"
        "[web]\nsecret_key = 's3cret'\n"
        "[log]\nsasl_password = 's3cret'\nurl = 'kafka://s3cret'\n"
        "[database]\nurl = 'postgresql://u:s3cret@h/d'\n"
    )
    found = load(file, {})
    parts = (found, found.web, found.log, found.database, *found.entries())
    assert not [part for part in parts if "s3cret" in f"{part!r} {part!s} {[part]}"]


def test_a_complaint_about_a_secret_does_not_show_it(written: Any) -> None:
    with pytest.raises(SettingsError) as complaint:
        load(written("[web]\nsecret_key = ['s3cret']"), {})
    assert "web.secret_key is a secret: Expected `str`" in str(complaint.value)
    assert "s3cret'" not in str(complaint.value)


def test_relative_paths_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).resolve("config/brands").is_dir()
    (tmp_path / "config" / "brands").mkdir(parents=True)
    assert load(None, {}).resolve("config/brands").resolve() == tmp_path / "config" / "brands"


def test_the_database_lies_at_home_unless_named(tmp_path: Path) -> None:
    assert load(None, {"EARSHOT_HOME": str(tmp_path)}).database_url == (
        f"sqlite:///{tmp_path}/earshot.db"
    )
    assert load(None, {"EARSHOT_DATABASE__URL": "sqlite://"}).database_url == "sqlite://"
