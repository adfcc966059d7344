"""Reddit's OAuth API on loopback: listings, the inbox, trees, look-up and comments.

Listings behave as Reddit's do: newest first, `after` an anchor, about a thousand things
long, and empty when the anchor is gone.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.collectors.platforms.loopback import Loopback, Posted, Reply, Request

USERNAME = "acme_care"
ACCOUNT = {
    "client_id": "client",
    "client_secret": "client-secret",
    "username": USERNAME,
    "password": "hunter2",
    "user_agent": "earshot tests by u/acme_care",
}
UNAUTHORIZED = Reply(
    401,
    {"message": "Unauthorized", "error": 401},
    {"www-authenticate": 'Bearer realm="reddit", error="invalid_token"'},
)
_BLANK = {"edited": False, "locked": False, "archived": False}
_KEPT = 1_000
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class RedditServer(Loopback):
    """A small Reddit. `kept` is how long its listings are."""

    def __init__(
        self, now: Callable[[], datetime] = lambda: datetime.now(UTC), kept: int = _KEPT
    ) -> None:
        self.now = now
        self.kept = kept
        self.comments: list[dict[str, Any]] = []
        self.submissions: list[dict[str, Any]] = []
        self.mentions: list[dict[str, Any]] = []
        self.removed: set[str] = set()
        self._ids = itertools.count(10_000_000)
        super().__init__()

    # ------------------------------------------------------------ the world

    def submit(self, title: str, text: str = "", *, author: str = "ana", sub: str = "acme") -> str:
        """Put a submission into the world, and give its fullname."""
        with self.lock:
            name = f"t3_{_base36(next(self._ids))}"
            path = f"/r/{sub}/comments/{name[3:]}/title/"
            extra = {"title": title, "selftext": text, "permalink": path}
            self.submissions.insert(0, {**self._thing(name, author, sub), **extra})
            return name

    def comment(
        self, parent: str, body: str, *, author: str = "ana", at: datetime | None = None
    ) -> str:
        """Put a comment below a submission or a comment, and give its fullname."""
        with self.lock:
            above = self.thing(parent)
            link = above.get("link_id", parent)
            name = f"t1_{_base36(next(self._ids))}"
            sub = above["subreddit"]
            thing = {
                **self._thing(name, author, sub, at),
                "body": body,
                "link_id": link,
                "parent_id": parent,
                "permalink": f"/r/{sub}/comments/{link[3:]}/title/{name[3:]}/",
                "replies": "",
            }
            self.comments.insert(0, thing)
            if f"u/{USERNAME}" in body:
                hidden = {"link_id", "permalink", "replies", "author_fullname"}
                shown = {k: v for k, v in thing.items() if k not in hidden}
                context = f"{thing['permalink']}?context=3"
                self.mentions.insert(
                    0, {**shown, "context": context, "was_comment": True, "dest": USERNAME}
                )
            return name

    def edit(self, name: str, text: str) -> None:
        with self.lock:
            thing = self.thing(name)
            thing["body" if "body" in thing else "selftext"] = text
            thing["edited"] = max(self.now().timestamp(), float(thing["edited"]) + 1)

    def blank(self, name: str) -> None:
        """The author deletes: the thing stays in its place, without words and author."""
        with self.lock:
            thing = self.thing(name)
            thing["body" if "body" in thing else "selftext"] = "[deleted]"
            thing |= {"author": None, "author_fullname": None}

    def delete(self, name: str) -> None:
        """The thing leaves every listing; it can still be looked up, as `[removed]`."""
        with self.lock:
            self.blank(name)
            self.removed.add(name)

    def thing(self, name: str) -> dict[str, Any]:
        every = itertools.chain(self.comments, self.submissions, self.mentions)
        return next(thing for thing in every if thing["name"] == name)

    def load(self, folder: Path) -> list[str]:
        """Take recorded listings into the world; the fullnames of what they hold."""
        loaded = []
        for path in sorted(folder.glob("*.json")):
            recording = json.loads(path.read_text(encoding="utf-8"))
            for interaction in recording["interactions"]:
                text = interaction["response"]["body"]["string"]
                answer = json.loads(text)
                if answer.get("kind") == "Listing":
                    loaded += self._take(child["data"] for child in answer["data"]["children"])
        for things in (self.comments, self.submissions, self.mentions):
            things.sort(key=lambda thing: -thing["created_utc"])
        return loaded

    def _take(self, things: Iterable[dict[str, Any]]) -> list[str]:
        names = []
        for thing in things:
            home = self.submissions if "title" in thing else self.comments
            home = self.mentions if "context" in thing else home
            if thing["name"] not in {other["name"] for other in home}:
                home.append(thing)
                names.append(thing["name"])
                if home is self.mentions:  # what the inbox shows stands below a submission too
                    link = f"t3_{thing['context'].split('/')[4]}"
                    self.comments.append({**_BLANK, **thing, "link_id": link, "replies": ""})
        return names

    def _thing(
        self, name: str, author: str, sub: str, at: datetime | None = None
    ) -> dict[str, Any]:
        return {
            "name": name,
            "id": name[3:],
            "author": author,
            "author_fullname": f"t2_{author}",
            "subreddit": sub,
            "created_utc": (at or self.now()).timestamp(),
            "edited": False,
            "locked": False,
            "archived": False,
        }

    # ------------------------------------------------------------ the API

    def handle(self, request: Request) -> Reply:
        if request.path == "/api/v1/access_token":
            return _token(request)
        if request.headers.get("authorization") != "bearer good":
            return UNAUTHORIZED
        match request.path.strip("/").split("/"):
            case ["comments", link]:
                reply = self._tree(f"t3_{link}", request)
            case ["api", "comment"]:
                reply = self._create(request)
            case ["api", "info"]:
                names = request.query["id"].split(",")
                every = itertools.chain(self.comments, self.submissions)
                reply = _page([t for t in every if t["name"] in names], None)
            case path:
                things = self._things(path)
                missing = Reply(404, {"message": "Not Found", "error": 404})
                reply = missing if things is None else self._listing(things, request)
        return reply

    def _things(self, path: Sequence[str]) -> Sequence[dict[str, Any]] | None:
        match path:
            case ["r", subs, "comments" | "new" as kind]:
                things = self.comments if kind == "comments" else self.submissions
                wanted = set(subs.split("+"))
                return [t for t in things if "all" in wanted or t["subreddit"] in wanted]
            case ["message", "mentions"]:
                return self.mentions
            case ["user", name, "comments"]:
                return [thing for thing in self.comments if thing["author"] == name]
            case _:
                return None

    def _listing(self, things: Sequence[dict[str, Any]], request: Request) -> Reply:
        shown = [thing for thing in things if thing["name"] not in self.removed][: self.kept]
        limit = int(request.query.get("limit", 25))
        if after := request.query.get("after"):
            names = [thing["name"] for thing in shown]
            if after not in names:
                return _page([], None)
            shown = shown[names.index(after) + 1 :]
        page = shown[:limit]
        return _page(page, page[-1]["name"] if len(shown) > limit else None)

    def _tree(self, link: str, request: Request) -> Reply:
        comment = request.query.get("comment")
        top = (
            [c for c in self.comments if c["name"] == f"t1_{comment}"]
            if comment
            else ([c for c in self.comments if c["parent_id"] == link])
        )
        head = _listed([t for t in self.submissions if t["name"] == link], None)
        return Reply(200, [head, _listed([self._grown(c) for c in top], None)], _PACE)

    def _grown(self, comment: dict[str, Any]) -> dict[str, Any]:
        below = [c for c in self.comments if c["parent_id"] == comment["name"]]
        replies = _listed([self._grown(c) for c in below], None) if below else ""
        return {**comment, "replies": replies}

    def _create(self, request: Request) -> Reply:
        parent, text = request.form["thing_id"], request.form["text"]
        every = [*self.comments, *self.submissions]
        above = next((thing for thing in every if thing["name"] == parent), None)
        if above is None:
            return _errors("DELETED_COMMENT", "that comment has been deleted")
        if len(text) > 10_000:
            return _errors("TOO_LONG", "this is too long (max: 10000)")
        if above["locked"]:
            return _errors("THREAD_LOCKED", "Comments are locked.")
        name = self.comment(parent, text, author=USERNAME)
        thing = self.thing(name)
        self.posted.append(Posted(id=name, text=text, parent=parent, thread=thing["link_id"]))
        things = [{"kind": "t1", "data": thing}]
        return Reply(200, {"json": {"errors": [], "data": {"things": things}}}, _PACE)


_PACE = {"x-ratelimit-remaining": "990", "x-ratelimit-used": "10", "x-ratelimit-reset": "1"}


def _token(request: Request) -> Reply:
    pair = base64.b64encode(f"{ACCOUNT['client_id']}:{ACCOUNT['client_secret']}".encode())
    if request.headers.get("authorization") != f"Basic {pair.decode()}":
        return Reply(401, {"message": "Unauthorized", "error": 401})
    form = request.form
    if form["grant_type"] == "password" and form.get("password") != ACCOUNT["password"]:
        return Reply(200, {"error": "invalid_grant"})
    token = {"access_token": "good", "token_type": "bearer", "expires_in": 3600, "scope": "*"}
    return Reply(200, token)


def _listed(things: Sequence[dict[str, Any]], after: str | None) -> dict[str, Any]:
    children = [{"kind": thing["name"][:2], "data": thing} for thing in things]
    data = {"after": after, "before": None, "dist": len(children), "children": children}
    return {"kind": "Listing", "data": data}


def _page(things: Sequence[dict[str, Any]], after: str | None) -> Reply:
    return Reply(200, _listed(things, after), _PACE)


def _errors(code: str, message: str, **extra: float) -> Reply:
    return Reply(200, {"json": {"errors": [[code, message, "parent"]], **extra}}, _PACE)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
