"""X's API v2 on loopback: mentions, recent search, timelines, look-up and replies.

It is as strict as X: unknown parameters are refused, only asked-for fields are answered,
OAuth 1 signatures are verified, `since_id` may not be older than seven days in a search,
and a reply is taken only where its author was summoned.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.collectors.platforms.loopback import Loopback, Posted, Reply, Request
from tests.collectors.platforms.x.oauth1 import signed
from tests.collectors.platforms.x.weight import weight

US, HANDLE = "1001", "acme"
BEARER = "bearer-token"
KEYS = {
    "consumer_key": "ck",
    "consumer_secret": "cs",
    "access_token": f"{US}-token",
    "access_token_secret": "ats",
}
ALLOWED = 450
"""How many requests a route takes in a quarter of an hour. They are told, and not enforced."""
_SHORT = 280
_ALWAYS = {"id", "text", "edit_history_tweet_ids"}
_LISTING = {"expansions", "max_results", "since_id", "start_time", "tweet.fields", "user.fields"}
_FIRST_START = datetime(2010, 11, 6, tzinfo=UTC)


class XServer(Loopback):
    """A small X. Time comes from `now`; ids are snowflakes of it."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self.tweets: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self._last_id = 0
        self.spent: Counter[str] = Counter()
        self.add_user(US, HANDLE, "Acme")
        super().__init__()

    # ------------------------------------------------------------ the world

    def add_user(self, id: str, handle: str, name: str, followers: int = 10) -> str:
        self.users[id] = {
            "id": id,
            "username": handle,
            "name": name,
            "public_metrics": {"followers_count": followers},
        }
        return id

    def post(
        self,
        text: str,
        author: str = "2002",
        *,
        reply_to: str = "",
        quote: str = "",
        at: datetime | None = None,
        lang: str = "en",
    ) -> str:
        """Put a post into the world, and give its id.

        More than 280 characters are a long post: the short form and its entities are cut.
        """
        with self.lock:
            if author not in self.users:
                self.add_user(author, f"user{author}", f"User {author}")
            at = at or self.now()
            made = self._id(at)
            references = [
                {"type": kind, "id": other}
                for kind, other in (("replied_to", reply_to), ("quoted", quote))
                if other
            ]
            above = self.tweets.get(reply_to, {})
            self.tweets[made] = {
                "id": made,
                "text": text[:_SHORT],
                "author_id": author,
                "conversation_id": above.get("conversation_id", made),
                "created_at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "edit_history_tweet_ids": [made],
                "lang": lang,
                "reply_settings": "everyone",
                "entities": {"mentions": self._mentions(text[:_SHORT])},
                **(self._note(text) if len(text) > _SHORT else {}),
                **({"referenced_tweets": references} if references else {}),
            }
            return made

    def edit(self, id: str, text: str) -> str:
        """A new version of a post, under a new id; every version lists them all."""
        with self.lock:
            old = self.tweets[id]
            new = self._id(self.now())
            history = [*old["edit_history_tweet_ids"], new]
            mentions = {"mentions": self._mentions(text)}
            self.tweets[new] = {**old, "id": new, "text": text, "entities": mentions}
            for version in history:
                self.tweets[version]["edit_history_tweet_ids"] = history
            return new

    def delete(self, id: str) -> None:
        with self.lock:
            for version in self.tweets[id]["edit_history_tweet_ids"]:
                self.tweets.pop(version, None)

    def load(self, folder: Path, *, summon: bool = True) -> list[str]:
        """Take recorded API v2 answers (JSON lines) into the world; the ids of their posts.

        `summon` makes each mention our account, so that it stands in our mentions.
        """
        loaded = []
        for path in sorted(folder.glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                answer = json.loads(line)
                posts = answer["data"] if isinstance(answer.get("data"), list) else [answer]
                for user in (answer.get("includes") or {}).get("users", ()):
                    self.users.setdefault(user["id"], user)
                loaded += [self._take(post, summon=summon) for post in posts]
        return list(dict.fromkeys(loaded))

    def _take(self, raw: Mapping[str, Any], *, summon: bool) -> str:
        post = {"edit_history_tweet_ids": [raw["id"]], **raw}
        if author := raw.get("author"):
            self.users.setdefault(raw["author_id"], author)
        if summon:
            entities = dict(post.get("entities") or {})
            us = {"start": 0, "end": 0, "username": HANDLE, "id": US}
            entities["mentions"] = [*(entities.get("mentions") or ()), us]
            post["entities"] = entities
        self.tweets[post["id"]] = post
        return str(post["id"])

    def _id(self, at: datetime) -> str:
        milliseconds = int(at.timestamp() * 1000) - 1_288_834_974_657
        self._last_id = max(self._last_id + 1, milliseconds << 22)
        return str(self._last_id)

    def _note(self, text: str) -> dict[str, Any]:
        entities = {"mentions": self._mentions(text)}
        return {"note_tweet": {"text": text, "entities": entities}}

    def _mentions(self, text: str) -> list[dict[str, Any]]:
        by_handle = {user["username"].casefold(): user for user in self.users.values()}
        return [
            {"start": m.start(), "end": m.end(), "username": m[1]}
            | ({"id": by_handle[m[1].casefold()]["id"]} if m[1].casefold() in by_handle else {})
            for m in re.finditer(r"@(\w+)", text)
        ]

    # ------------------------------------------------------------ the API

    def handle(self, request: Request) -> Reply:
        reply = self._answer(request)
        route = re.sub(r"\d{2,}", ":id", f"{request.method} {request.path}")
        self.spent[route] += 1
        left = max(0, ALLOWED - self.spent[route])
        until = (self.now() + timedelta(minutes=15)).timestamp()
        pace = {"limit": ALLOWED, "remaining": left, "reset": int(until)}
        told = {f"x-rate-limit-{name}": str(value) for name, value in pace.items()}
        return replace(reply, headers={**told, **reply.headers})

    def _answer(self, request: Request) -> Reply:
        if refused := self._unauthorized(request):
            return refused
        if request.method == "POST" and request.path == "/2/tweets":
            return self._create(request)
        if request.method == "GET" and request.path == "/2/tweets":
            return self._lookup(request)
        if request.path == "/2/tweets/search/recent":
            return self._search(request)
        if found := re.fullmatch(r"/2/users/(\d+)/(mentions|tweets)", request.path):
            return self._timeline(request, *found.groups())
        return _problem(404, "Not Found", f"no route {request.path}")

    def _unauthorized(self, request: Request) -> Reply | None:
        header = request.headers.get("authorization", "")
        if header.startswith("OAuth "):
            good = signed(request, header, KEYS)
        else:
            good = header == f"Bearer {BEARER}" and request.method == "GET"
        return None if good else _problem(401, "Unauthorized", "Unauthorized")

    def _create(self, request: Request) -> Reply:
        text, parent = request.json["text"], request.json["reply"]["in_reply_to_tweet_id"]
        above = self.tweets.get(parent)
        if above is None:
            return _problem(403, "Forbidden", "You attempted to reply to a deleted post.")
        if not self._summoned(above):
            return _problem(403, "Forbidden", "Reply to this conversation is not allowed.")
        if weight(text) > _SHORT:
            message = "Your Tweet text is too long."
            return _invalid("text", message)
        ours = (post for post in self.tweets.values() if post["author_id"] == US)
        handle = self.users.get(above["author_id"], {}).get("username", "somebody")
        shown = f"@{handle} {text}"
        if any(post["text"] == shown for post in ours):
            return _problem(403, "Forbidden", "You are not allowed to create duplicate content.")
        made = self.post(shown, US, reply_to=parent)
        thread = self.tweets[made]["conversation_id"]
        self.posted.append(Posted(id=made, text=text, parent=parent, thread=thread))
        return Reply(201, {"data": {"id": made, "text": shown, "edit_history_tweet_ids": [made]}})

    def _summoned(self, post: Mapping[str, Any]) -> bool:
        mentioned = _belongs(post, US, "mentions")
        quoted = (self.tweets.get(r["id"], {}) for r in post.get("referenced_tweets") or ())
        return mentioned or any(other.get("author_id") == US for other in quoted)

    def _lookup(self, request: Request) -> Reply:
        ids = request.query["ids"].split(",")
        found = [self.tweets[one] for one in ids if one in self.tweets]
        missing = [
            {
                "resource_id": one,
                "resource_type": "tweet",
                "title": "Not Found Error",
                "detail": f"no post {one}",
                "type": "https://api.twitter.com/2/problems/resource-not-found",
            }
            for one in ids
            if one not in self.tweets
        ]
        body: dict[str, Any] = {"data": self._shown(found, request)} if found else {}
        return Reply(200, body | ({"errors": missing} if missing else {}))

    def _search(self, request: Request) -> Reply:
        floor = self.now() - timedelta(days=7)
        known = {*_LISTING, "query", "next_token"}
        if wrong := _unknown(request, known) or _too_old(request, floor):
            return wrong
        terms = request.query["query"].split()
        found = [p for p in self._listed() if _moment(p) > floor and self._hit(p, terms)]
        return self._listing(found, request, "next_token")

    def _timeline(self, request: Request, user: str, kind: str) -> Reply:
        known = {*_LISTING, "pagination_token"}
        if wrong := _unknown(request, known) or _too_old(request, _FIRST_START):
            return wrong
        found = [p for p in self._listed() if _belongs(p, user, kind)][:800]
        return self._listing(found, request, "pagination_token")

    def _listed(self) -> Iterator[dict[str, Any]]:
        for one in sorted(self.tweets, key=int, reverse=True):
            yield self.tweets[one]

    def _hit(self, post: Mapping[str, Any], terms: Sequence[str]) -> bool:
        def one(term: str) -> bool:
            name, _, value = term.partition(":")
            if name == "conversation_id":
                return bool(post["conversation_id"] == value)
            return term.casefold() in post["text"].casefold()

        return all(one(term) for term in terms)

    def _listing(self, found: Sequence[dict[str, Any]], request: Request, token_name: str) -> Reply:
        query = request.query
        since = int(query.get("since_id", 0))
        start = datetime.fromisoformat(query.get("start_time", "2010-01-01T00:00:00Z"))
        found = [p for p in found if int(p["id"]) > since and _moment(p) >= start]
        # A token names the post to go on below, as X's do: pages don't shift under a walk.
        if token := query.get(token_name):
            found = [post for post in found if int(post["id"]) < int(token[1:])]
        size = int(query.get("max_results", 10))
        page = found[:size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0]["id"], "oldest_id": page[-1]["id"]}
        if len(found) > size:
            meta["next_token"] = f"b{page[-1]['id']}"
        body: dict[str, Any] = {"meta": meta}
        if page:
            body |= {"data": self._shown(page, request), "includes": self._included(page, request)}
        return Reply(200, body)

    def _shown(self, posts: Sequence[Mapping[str, Any]], request: Request) -> list[dict[str, Any]]:
        fields = {*request.query.get("tweet.fields", "").split(","), *_ALWAYS}
        return [{k: v for k, v in post.items() if k in fields} for post in posts]

    def _included(self, posts: Sequence[Mapping[str, Any]], request: Request) -> dict[str, Any]:
        expansions = request.query.get("expansions", "").split(",")
        included: dict[str, Any] = {}
        if "author_id" in expansions:
            authors = dict.fromkeys(post["author_id"] for post in posts)
            included["users"] = [self.users[one] for one in authors if one in self.users]
        if "referenced_tweets.id" in expansions:
            ids = {r["id"] for p in posts for r in p.get("referenced_tweets") or ()}
            included["tweets"] = self._shown(
                [self.tweets[one] for one in sorted(ids) if one in self.tweets], request
            )
        return included


def _moment(post: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(post["created_at"])


def _belongs(post: Mapping[str, Any], user: str, kind: str) -> bool:
    if kind == "tweets":
        return bool(post["author_id"] == user)
    forms = (post, post.get("note_tweet") or {})
    named = [m for form in forms for m in (form.get("entities") or {}).get("mentions") or ()]
    return any(mention.get("id") == user for mention in named)


def _too_old(request: Request, floor: datetime) -> Reply | None:
    since, start = int(request.query.get("since_id", 0)), request.query.get("start_time")
    milliseconds = (since >> 22) + 1_288_834_974_657
    if since and milliseconds < floor.timestamp() * 1000:
        return _invalid("since_id", f"'since_id' must be a tweet id created after [{floor}].")
    if start and datetime.fromisoformat(start) < floor:
        return _invalid("start_time", f"'start_time' must be on or after {floor}.")
    return None


def _unknown(request: Request, known: set[str]) -> Reply | None:
    strange = set(request.query) - known
    if strange:
        return _invalid(min(strange), "is not one of the known parameters")
    if {"since_id", "start_time"} <= set(request.query):
        return _invalid("since_id", "'since_id' and 'start_time' can't go together")
    return None


def _invalid(name: str, message: str) -> Reply:
    body = {
        "errors": [{"parameters": {name: []}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.twitter.com/2/problems/invalid-request",
    }
    return Reply(400, body)


def _problem(status: int, title: str, detail: str) -> Reply:
    return Reply(status, {"title": title, "detail": detail, "status": status})
