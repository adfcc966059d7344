"""A desk over a real SQLite file, with people of every kind and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from selectolax.lexbor import LexborHTMLParser, LexborNode
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from dashboard import create_app
from dashboard.accounts import people
from dashboard.accounts.browser_sessions import begin
from earshot.brand import Brand, TopicText
from earshot.database import db
from earshot.database.tables import BrandRow, PersonRow, Table
from earshot.domain import Role
from tests.builders import NOON

PASSWORD = "correct horse battery"

BRANDS = {
    slug: Brand(
        name=slug.title(),
        slug=slug,
        queries={"name": slug},
        topics={
            "checkout": TopicText(description="paying"),
            "delivery": TopicText(description="parcels"),
        },
    )
    for slug in ("acme", "zen")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """Settings of a desk under test."""

    host: str = "127.0.0.1"
    port: int = 0
    secret_key: str = "a secret of this test"
    secure_cookies: bool = False
    proxies: int = 0
    undo_send_s: int = 10
    threads: int = 64
    public_url: str = "http://localhost"


@dataclass(slots=True)
class Clock:
    """A clock that stands still until a test moves it."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **span: float) -> None:
        self.now += timedelta(**span)


class Browser:
    """A client that sends the token of its forms, as a page does."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self._token = ""

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers=_headers(headers))

    def post(self, path: str, data: dict[str, Any] | None = None, **headers: str) -> TestResponse:
        form = {"csrf_token": self.token(), **(data or {})}
        return self.client.post(path, data=form, headers=_headers(headers))

    def token(self) -> str:
        """The token of this browser's forms, from whichever page it can see."""
        for path in ("/me", "/login") if not self._token else ():
            answer = self.client.get(path)
            if answer.status_code == 200:
                meta = parsed(answer).css_first("meta[name=csrf-token]")
                self._token = (meta.attributes["content"] if meta else "") or ""
                break
        return self._token


def _headers(names: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in names.items()}


def parsed(answer: TestResponse) -> LexborHTMLParser:
    return LexborHTMLParser(answer.text)


def one(answer: TestResponse, selector: str) -> LexborNode:
    """The only element that matches; a failure shows what the page says."""
    found = parsed(answer).css(selector)
    assert len(found) == 1, f"{len(found)} of {selector} in:\n{answer.text[:4000]}"
    return found[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Alice listens, Bob answers, Mia manages and Ada administers acme; Charlie is of zen."""

    app: Flask
    sessions: db.Sessions
    readers: db.Sessions
    clock: Clock
    people: dict[str, int] = field(default_factory=dict)

    def browser(self, name: str = "") -> Browser:
        """A browser in which the named person is signed in, if any."""
        client = self.app.test_client()
        if name:
            with self.sessions.begin() as writing:
                token = begin(writing, self.people[name], "a test", self.clock())
            assert token is not None
            client.set_cookie("earshot", token)
        return Browser(client)

    def read(self, question: Callable[[Session], Any]) -> Any:
        with self.readers.begin() as reading:
            return question(reading)

    def email(self, name: str) -> str:
        return str(
            self.read(
                lambda s: s.scalar(select(PersonRow.email).where(PersonRow.id == self.people[name]))
            )
        )


CAST = {
    "alice": ("acme", (Role.LISTENER,), ()),
    "bob": ("acme", (Role.RESPONDER,), ("payments",)),
    "rita": ("acme", (Role.RESPONDER,), ("parcels",)),
    "mia": ("acme", (Role.MANAGER,), ()),
    "ada": ("acme", (Role.ADMIN,), ()),
    "charlie": ("zen", tuple(Role), ("payments",)),
}


def make_world(
    folder: Path, *, url: str = "", clock: Callable[[], datetime] | None = None, **web: Any
) -> World:
    """A desk with the people of `CAST` and no items, over a file in `folder` or over `url`."""
    engine = db.connect(url or f"sqlite:///{folder / 'earshot.db'}")
    Table.metadata.create_all(engine)
    sessions, readers = db.open_sessions(engine), db.open_readers(engine)
    standing = Clock()
    app = create_app(
        sessions=sessions,
        readers=readers,
        brands=BRANDS,
        web=Web(**web),
        clock=clock or standing,
    )
    app.testing = True
    world = World(app=app, sessions=sessions, readers=readers, clock=standing)
    with sessions.begin() as writing:
        writing.execute(insert(BrandRow), [{"slug": s, "name": b.name} for s, b in BRANDS.items()])
        for name, (brand, roles, teams) in CAST.items():
            person = people.create_person(writing, f"{name}@{brand}.example", name.title(), NOON)
            people.join(writing, brand, person, roles=roles, teams=teams, on_duty=True)
            world.people[name] = person
    return world
