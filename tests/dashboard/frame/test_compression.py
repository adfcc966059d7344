"""Answers are compressed where that is safe: never a stream, never beside a form's token."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import brotli
import pytest
from werkzeug.test import TestResponse

from dashboard import create_app
from dashboard.frame.compression import SMALLEST
from tests.dashboard.seed import add_item
from tests.dashboard.world import Browser, World, parsed

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STATIC = Path(create_app.__code__.co_filename).parent / "static"
EVERYTHING = "zstd, br, gzip"
UNPACK = {"zstd": zstd.decompress, "br": brotli.decompress, "gzip": gzip.decompress}


def get(browser: Browser, path: str, accepts: str = EVERYTHING, **headers: str) -> TestResponse:
    answer = browser.get(path, **{"Accept_Encoding": accepts, **headers})
    if answer.mimetype != "text/event-stream":
        answer.get_data()
        answer.close()
    return answer


def unpacked(answer: TestResponse) -> bytes:
    encoding = answer.headers.get("Content-Encoding")
    data: bytes = UNPACK[encoding](answer.data) if encoding else answer.data
    return data


@pytest.fixture
def items(world: World) -> World:
    with world.sessions.begin() as writing:
        for number in range(1, 30):
            add_item(writing, number, text=f"a question about a parcel, number {number}")
    return world


@pytest.mark.parametrize("accepts", ["zstd", "br", EVERYTHING])
@pytest.mark.parametrize("name", ["app.css", "list.js", "vendor/icons.svg"])
def test_scripts_styles_and_icons_arrive_smaller_and_whole(
    world: World, name: str, accepts: str
) -> None:
    answer = get(world.browser(), f"/static/{name}", accepts)
    assert answer.headers["Content-Encoding"] in accepts
    assert unpacked(answer) == (STATIC / name).read_bytes()
    assert len(answer.data) < len(unpacked(answer)) * 0.6


@pytest.mark.parametrize("path", ["/triage", "/items", "/items.csv"])
def test_a_list_without_a_form_and_an_export_arrive_smaller_and_whole(
    items: World, path: str
) -> None:
    browser = items.browser("mia")
    plain = get(browser, path, "identity", X_Fragment="1")
    assert "Content-Encoding" not in plain.headers
    for accepts in ("zstd", "br"):
        answer = get(browser, path, accepts, X_Fragment="1")
        assert answer.headers["Content-Encoding"] == accepts
        assert unpacked(answer) == plain.data


def test_caches_keep_each_encoding_apart(items: World) -> None:
    for path in ("/static/app.css", "/items"):
        answer = get(items.browser("mia"), path, "identity", X_Fragment="1")
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_browser_that_has_a_script_is_not_sent_it_again(world: World) -> None:
    browser = world.browser()
    first = get(browser, "/static/list.js")
    again = get(browser, "/static/list.js", If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    other = get(browser, "/static/list.js", "identity", If_None_Match=first.headers["ETag"])
    assert other.status_code == 200, "the plain file is another one than the compressed"


@pytest.mark.parametrize(
    "path", ["/login", "/triage?q=parcel", "/items?q=parcel", "/me", "/nowhere"]
)
def test_a_page_with_a_forms_token_goes_out_as_it_is(items: World, path: str) -> None:
    answer = get(items.browser("" if path == "/login" else "alice"), path)
    assert len(answer.data) > SMALLEST
    assert parsed(answer).css_first("meta[name=csrf-token]") is not None
    assert "Content-Encoding" not in answer.headers


def test_no_answer_of_the_desk_is_compressed_with_a_token_in_it(items: World) -> None:
    compressed = 0
    for name in ("", "alice", "bob", "mia", "ada"):
        browser = items.browser(name)
        token = browser.token()
        for rule in items.app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint in ("static", "live.stream"):
                continue
            with items.app.test_request_context():
                values = dict.fromkeys(rule.arguments, 1) | {"key": "0" * 16, "token": "none"}
                path = rule.build({name: values[name] for name in rule.arguments})[1]  # type: ignore[index]  # a built rule is a pair
            for headers in ({}, {"X_Fragment": "1"}):
                answer = get(browser, f"{path}?q=parcel", **headers)
                compressed += "Content-Encoding" in answer.headers
                if "Content-Encoding" in answer.headers:
                    body = unpacked(answer)
                    # the part of a token that is the same whenever it is signed
                    assert token.split(".")[0].encode() not in body, path
                    assert b"csrf" not in body, path
    assert compressed, "nothing was compressed, so nothing was looked at"


def test_a_stream_of_events_is_never_compressed(world: World) -> None:
    answer = get(world.browser("alice"), "/stream")
    try:
        assert answer.mimetype == "text/event-stream"
        assert "Content-Encoding" not in answer.headers
        assert next(answer.iter_encoded()).startswith(b"retry:")
    finally:
        answer.close()
