"""The table of platforms: settings in, sources and responders out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors.contract.platform import Action
from collectors.platforms import registry
from collectors.platforms.registry import PLATFORMS

X = {"account": "acme", "account_id": "1", "bearer_token": "b"}
KEYS = {
    "consumer_key": "a",
    "consumer_secret": "b",
    "access_token": "1-c",
    "access_token_secret": "d",
}
REDDIT = {"client_id": "a", "client_secret": "b", "user_agent": "tests", "subreddits": ["acme"]}
LOGIN = {"username": "acme", "password": "p"}


@pytest.mark.parametrize(
    ("kind", "settings", "answers"),
    [
        ("x", X, False),
        ("x", {**X, **KEYS}, True),
        ("reddit", REDDIT, False),
        ("reddit", {**REDDIT, **LOGIN}, True),
        ("bluesky", {}, False),
        ("bluesky", {"identifier": "acme.test", "password": "p"}, True),
        ("recorded", {"path": "posts.jsonl"}, False),
        ("simulator", {"rate": 0.0, "count": 5}, True),
    ],
)
def test_settings_make_a_source_and_a_responder_where_there_is_one(
    kind: str, settings: dict[str, Any], tmp_path: Path, *, answers: bool
) -> None:
    platform = PLATFORMS[kind]
    config = platform.read(settings)
    source = platform.source(config, tmp_path / "source")
    responder = platform.responder(config, tmp_path / "source")
    assert source.platform == kind
    assert source.parts()
    assert (responder is not None) is answers
    if responder:
        assert responder.platform == kind
        responder.close()
    source.close()


@pytest.mark.parametrize("key", PLATFORMS)
def test_each_folder_is_a_platform_of_that_name(key: str) -> None:
    platform = PLATFORMS[key]
    assert platform.key == key
    assert platform.secrets <= set(platform.config.__struct_fields__)


def test_a_platform_may_reply_where_it_has_something_to_answer_with() -> None:
    answering = {key for key, platform in PLATFORMS.items() if Action.REPLY in platform.can}
    folder = Path(registry.__file__).parent
    assert answering == {key for key in PLATFORMS if (folder / key / "responder.py").exists()}
    assert answering


def test_the_list_of_platforms_loads_none_of_their_client_libraries() -> None:
    script = (
        "import sys; from collectors.platforms.registry import PLATFORMS; list(PLATFORMS);"
        "print(*{'tweepy', 'praw', 'websockets', 'requests'} & set(sys.modules))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == []


def test_an_unknown_platform_is_a_key_error() -> None:
    assert "os" not in PLATFORMS
    assert PLATFORMS.get("../x") is None


@pytest.mark.parametrize(
    ("kind", "settings", "complaint"),
    [
        ("x", {**X, "acount": "acme"}, "acount"),
        ("x", {**X, "timeout_s": "soon"}, "timeout_s"),
        ("x", {"account": "acme"}, "bearer_token"),
        ("recorded", {"path": "a", "speed": -1}, "speed"),
        ("recorded", {"path": "a", "first_days": -1}, "first_days"),
        ("x", {**X, "first_days": 36_501}, "first_days"),
        ("reddit", {**REDDIT, "first_days": "soon"}, "first_days"),
    ],
)
def test_wrong_settings_name_the_setting(
    kind: str, settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(msgspec.ValidationError, match=complaint):
        PLATFORMS[kind].read(settings)


def test_the_simplest_source_reads_its_file(tmp_path: Path) -> None:
    path = tmp_path / "posts.jsonl"
    path.write_text("")
    platform = PLATFORMS["recorded"]
    source = platform.source(platform.read({"path": str(path)}), tmp_path)
    assert source.poll("file", None).posts == []
