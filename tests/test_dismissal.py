"""Whoever wants an answer is seen by somebody: the shipped brand, model and policy, run whole.

A file of posts is collected, judged and routed by the roles as a user runs them, and what came
of each post is read from the database.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from collectors.contract.source import Post
from earshot.database import db
from earshot.database.tables import ItemRow
from earshot.domain import Author, ItemState
from tests.classifier.conftest import public_sets as public_sets  # noqa: PLC0414 -- a fixture, by its name
from tests.services.ports import free_ports
from tests.system import System, wait_until

OWN = Path(__file__).parent / "data" / "plain_customers.csv"
ROWS = 100
"""How many posts are drawn of each public set."""

MOST_DISMISSED = 0.10
MOST_TRIAGED = 0.50

Outcomes = Mapping[str, Counter[str]]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _texts(sets: Path) -> dict[str, Sequence[str]]:
    """The posts by group: our own by language, and a hundred of each public set."""
    groups: dict[str, list[str]] = {}
    for row in _rows(OWN):
        groups.setdefault(f"own-{row['lang']}", []).append(row["text"])
    railway = _rows(sets / "sentiment_germeval2017_de_train.csv")
    groups["railway"] = [row["text"] for row in railway if row["label"] == "negative"]
    groups["banking"] = [row["text"] for row in _rows(sets / "topic_banking77_train.csv")]
    groups["arabic"] = [row["text"] for row in _rows(sets / "topic_arbanking77_train.csv")]
    tweets = _rows(sets / "sentiment_semeval_val.csv")
    groups["neutral"] = [row["text"] for row in tweets if row["label"] == "neutral"]
    draw = random.Random(8)
    return {
        name: texts if name.startswith("own") else draw.sample(texts, ROWS)
        for name, texts in groups.items()
    }


def _write(path: Path, groups: Mapping[str, Sequence[str]]) -> int:
    """Write the posts as a recorded file, each in a thread of its own; how many there are."""
    posts = [
        Post(
            native_id=f"{group}/{number}",
            thread=f"{group}/{number}",
            author=Author(id="u1", name="Somebody"),
            text=text,
            url="",
            published_at=datetime.now(UTC),
        )
        for group, texts in groups.items()
        for number, text in enumerate(texts)
    ]
    path.write_bytes(b"".join(msgspec.json.encode(post) + b"\n" for post in posts))
    return len(posts)


def _outcomes(database_url: str) -> Outcomes:
    """How many posts of each group are in each state."""
    engine = db.connect(database_url)
    with db.open_readers(engine).begin() as session:
        rows = session.execute(
            select(ItemRow.thread, ItemRow.state, func.count()).group_by(
                ItemRow.thread, ItemRow.state
            )
        )
        found: dict[str, Counter[str]] = {}
        for thread, state, count in rows:
            group = thread.partition(":")[2].partition("/")[0]
            found.setdefault(group, Counter())[state] += count
    engine.dispose()
    return found


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.services)])
def outcomes(
    request: pytest.FixtureRequest, tmp_path: Path, public_sets: Path
) -> Iterator[Outcomes]:
    file = tmp_path / "posts.jsonl"
    count = _write(file, _texts(public_sets))
    home = tmp_path / "home"
    env = {"PORT": str(free_ports(1)[0])}
    url = f"sqlite:///{home}/earshot.db"
    if request.param == "postgres":
        url = env["EARSHOT_DATABASE__URL"] = request.getfixturevalue("new_postgres_database")
    config = f"""
[sources.posts]
brand = "acme"
kind = "recorded"
path = "{file}"
everything = true
"""
    system = System(home, env=env, config=config)
    system.start()
    try:
        wait_until(lambda: "Sign in once at" in system.log(), 120, system.tail)
        wait_until(lambda: _stored(url) == count, 120, system.tail)
        yield _outcomes(url)
    finally:
        system.kill()


def _stored(database_url: str) -> int:
    return sum(sum(states.values()) for states in _outcomes(database_url).values())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_who_wants_an_answer_is_hardly_ever_dismissed_and_idle_talk_does_not_flood_triage(
    outcomes: Outcomes,
) -> None:
    shares = {
        group: {state: count / sum(states.values()) for state, count in states.items()}
        for group, states in outcomes.items()
    }
    dismissed = {group: share.get(ItemState.DISMISSED, 0.0) for group, share in shares.items()}
    wanting = {group: share for group, share in dismissed.items() if group != "neutral"}
    assert len(wanting) == 7, shares
    assert max(wanting.values()) <= MOST_DISMISSED, shares
    assert shares["neutral"].get(ItemState.NEW, 0.0) <= MOST_TRIAGED, shares
    assert dismissed["neutral"] > 0.3, shares
