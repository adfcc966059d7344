"""From a recorded post on a platform to an answer that stands there, through a real browser.

X, Reddit and Bluesky are servers on loopback that hold what those platforms once answered;
tweepy, praw and the Jetstream reader read them, and the whole system runs in between.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from earshot.database import db
from earshot.database.tables import ItemRow, ReplyRow
from earshot.domain import ItemState, ReplyState
from tests.collectors.platforms.bluesky import server as bluesky_server
from tests.collectors.platforms.bluesky.server import BlueskyServer
from tests.collectors.platforms.loopback import Posted
from tests.collectors.platforms.reddit import server as reddit_server
from tests.collectors.platforms.reddit.server import RedditServer
from tests.collectors.platforms.x import server as x_server
from tests.collectors.platforms.x.server import XServer
from tests.conftest import unavailable
from tests.dashboard.conftest import chromium as chromium  # noqa: PLC0414 -- a fixture, by its name
from tests.services.ports import free_ports
from tests.system import ROOT, System, wait_until

PLATFORMS = ("x", "reddit", "bluesky")


class Server(Protocol):
    """A loopback platform, as far as this test looks at it."""

    @property
    def posted(self) -> Sequence[Posted]: ...


@dataclass
class Installation:
    """A running system whose sources are loopback platforms with recorded posts."""

    system: System
    url: str
    servers: dict[str, Server]

    def items(self, platform: str, *states: ItemState) -> list[int]:
        engine = db.connect(f"sqlite:///{self.system.home}/earshot.db")
        with db.open_readers(engine).begin() as session:
            found = list(
                session.scalars(
                    select(ItemRow.id).where(
                        ItemRow.platform == platform, ItemRow.state.in_(states)
                    )
                )
            )
        engine.dispose()
        return found

    def confirmed(self, text: str) -> bool:
        return any(r.text == text and r.state == ReplyState.CONFIRMED for r in self.replies())

    def replies(self) -> list[ReplyRow]:
        engine = db.connect(f"sqlite:///{self.system.home}/earshot.db")
        with db.open_readers(engine).begin() as session:
            found = list(session.scalars(select(ReplyRow)))
        engine.dispose()
        return found


@pytest.fixture
def recorded() -> Path:
    folder = os.environ.get("EARSHOT_DATA_DIR")
    if not folder:
        unavailable("EARSHOT_DATA_DIR names no folder with recorded/ in it")
    return Path(str(folder)) / "recorded"


@pytest.fixture
def installation(tmp_path: Path, recorded: Path) -> Iterator[Installation]:
    with ExitStack() as stack:
        x = stack.enter_context(XServer())
        reddit = stack.enter_context(RedditServer())
        bluesky = stack.enter_context(BlueskyServer())
        assert x.load(recorded / "x")
        assert reddit.load(recorded / "reddit")
        golden = recorded / "bluesky" / "golden_v1.jsonl"
        assert bluesky.load(golden)
        (port,) = free_ports(1)
        brands = brand_that_triages_everything(tmp_path, word_of(golden))
        system = System(
            tmp_path / "home",
            env={"PORT": str(port)},
            config=configuration(brands, x, reddit, bluesky),
        )
        system.start()
        stack.callback(system.kill)
        servers: dict[str, Server] = {"x": x, "reddit": reddit, "bluesky": bluesky}
        yield Installation(system, f"http://127.0.0.1:{port}", servers)


def word_of(path: Path) -> str:
    """A word of the first recorded post: what the brand listens for."""
    for line in path.read_text().splitlines():
        text = json.loads(line).get("commit", {}).get("record", {}).get("text")
        if text:
            words: list[str] = re.findall(r"\w+", text)
            return max(words, key=len)
    raise AssertionError(f"{path} holds no post")


def brand_that_triages_everything(folder: Path, word: str) -> Path:
    """The shipped brand, listening for `word`, with a policy that gives all to a listener."""
    target = folder / "brands" / "acme"
    target.mkdir(parents=True)
    shipped = ROOT / "config/brands/acme"
    brand = yaml.safe_load((shipped / "brand.yaml").read_text())
    brand["queries"] = {"name": f'"{word}"'}
    (target / "brand.yaml").write_text(yaml.safe_dump(brand))
    policy = yaml.safe_load((shipped / "routing.yaml").read_text())
    policy["intake"] = [{"id": "all", "if": True, "do": "triage", "reason": "a person looks"}]
    (target / "routing.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))
    return target.parent


def configuration(brands: Path, x: XServer, reddit: RedditServer, bluesky: BlueskyServer) -> str:
    keys = "\n".join(f'{name} = "{value}"' for name, value in x_server.KEYS.items())
    account = "\n".join(f'{name} = "{value}"' for name, value in reddit_server.ACCOUNT.items())
    return f"""
brands = "{brands}"
[web]
undo_send_s = 0
[send]
confirm_after_s = 1.0
[sources.x-mentions]
brand = "acme"
kind = "x"
account = "{x_server.HANDLE}"
bearer_token = "{x_server.BEARER}"
endpoint = "{x.url}"
first_days = 36500
poll_every_s = 1.0
{keys}
[sources.reddit-inbox]
brand = "acme"
kind = "reddit"
inbox = true
endpoint = "{reddit.url}"
poll_every_s = 1.0
{account}
[sources.jetstream]
brand = "acme"
kind = "bluesky"
endpoint = "{bluesky.stream_url}"
service = "{bluesky.url}"
identifier = "{bluesky_server.HANDLE}"
password = "{bluesky_server.PASSWORD}"
"""


def sign_in(page: Page, installation: Installation) -> None:
    """Use the link that the start printed, as its reader would."""
    wait_until(lambda: "Sign in once at" in installation.system.log(), 60, "ready")
    link = re.search(r"Sign in once at (\S+)", installation.system.log())
    assert link is not None
    page.goto(link.group(1))
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_recorded_posts_reach_triage_and_an_answer_from_the_browser_stands_once_in_its_thread(
    installation: Installation, chromium: Browser
) -> None:
    context = chromium.new_context(locale="en-US")
    page = context.new_page()
    page.set_default_timeout(15_000)
    sign_in(page, installation)
    for platform in PLATFORMS:
        wait_until(
            partial(installation.items, platform, ItemState.NEW),
            60,
            f"collecting from {platform}: {installation.system.log()[-3_000:]}",
        )
    for platform in PLATFORMS:
        page.goto(f"{installation.url}/triage?q=channel:{platform}")
        row = page.locator("#list .row").first
        expect(row).to_be_visible()
        item = row.get_attribute("data-id")
        text = f"Thank you for writing. We answer on {platform}, number {item}."
        page.goto(f"{installation.url}/queue/{item}")
        page.get_by_role("button", name="Take this item").click()
        page.fill("#reply", text)
        page.locator("#send").click()
        expect(page).to_have_url(re.compile("sent="))
        wait_until(
            partial(installation.confirmed, text),
            60,
            f"confirmed on {platform}: {[(r.state, r.error) for r in installation.replies()]}",
        )
        page.goto(f"{installation.url}/m/{item}")
        expect(page.get_by_text(text).first).to_be_visible()
        expect(page.get_by_text(re.compile("confirmed", re.IGNORECASE)).first).to_be_visible()
        (reply,) = [reply for reply in installation.replies() if reply.text == text]
        (posted,) = installation.servers[platform].posted
        assert (posted.id, posted.parent, posted.thread) == (
            reply.native_id,
            reply.parent,
            reply.thread,
        )
        assert text in posted.text
    context.close()
    assert installation.system.stop() == 0
    assert installation.system.ledger()["exit_code"] == 0
    for platform in PLATFORMS:
        assert len(installation.servers[platform].posted) == 1
