"""An installation that 0.1.0 left behind goes on with this code, as the how-to says."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from dashboard.accounts.passwords import verify
from earshot.database import db, schema
from earshot.database.tables import (
    AssignmentRow,
    DeadLetterRow,
    DraftRow,
    EventRow,
    ItemRow,
    MentionRow,
    PersonRow,
    ReceiptRow,
    ReplyRow,
)
from earshot.domain import ReplyState
from earshot.secrets import credentials, sealing
from tests.services import postgres
from tests.system import ROOT, System, wait_until
from tests.upgrade.make_installation import PASSWORD, SECRET, SEED_KEY

INSTALLATIONS = ROOT / "tests/data/installations"
HOW_TO = ROOT / "docs/how-to/upgrade.md"

STEPS = (
    "earshot backup /backups/before-upgrade",
    "earshot db upgrade --before",
    "earshot doctor",
    "earshot db upgrade --after",
)
SHORT_WAY = ("earshot db upgrade", "earshot up")

ENDED = {ReplyState.CONFIRMED, ReplyState.FAILED}


@dataclass
class Installation:
    """What 0.1.0 left: its home, its database, and the truth about both at its end."""

    system: System
    engine: Engine
    truth: dict[str, Any]

    def run(self, command: str) -> str:
        """Run a command of the how-to; what it said. Fails with that where it fails."""
        words = command.replace("/backups", str(self.system.home.parent)).split()
        done = subprocess.run(
            self.system.command(*words[1:]),
            cwd=ROOT,
            env=self.system.variables(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout[-2_000:], done.stderr[-2_000:])
        return done.stdout

    def rows(self, *columns: Any) -> list[list[str]]:
        with db.open_readers(self.engine).begin() as session:
            return sorted(
                [str(value) for value in row] for row in session.execute(select(*columns))
            )

    def count(self, of: Any) -> int:
        with db.open_readers(self.engine).begin() as session:
            return session.scalar(select(func.count()).select_from(of)) or 0

    def posted(self) -> Counter[str]:
        """How often each reply stands on the simulated platform, by its key."""
        with closing(sqlite3.connect(self.system.home / "sources/world")) as connection:
            return Counter(key for (key,) in connection.execute("select key from reply"))


def unpack(name: str, folder: Path) -> dict[str, Any]:
    """The archive's files in `folder`, and the truth that lies with them."""
    with tarfile.open(INSTALLATIONS / name) as packed:
        packed.extractall(folder, filter="data")
    found: dict[str, Any] = json.loads((folder / "truth.json").read_text())
    return found


def fill(url: str, dump: Path) -> None:
    """Run the dump, without what only the psql of its own time understands."""
    plain = re.sub(r"(?m)^(\\(un)?restrict .*|SET transaction_timeout.*)$", "", dump.read_text())
    command = ["psql", "--quiet", "--set", "ON_ERROR_STOP=1", url.replace("+psycopg", "")]
    subprocess.run(command, input=plain, text=True, check=True, stdout=subprocess.DEVNULL)


def system_at(home: Path, database: str = "") -> System:
    """The system in an unpacked home, with the variables that 0.1.0 had."""
    env = {
        "EARSHOT_CONFIG": str(home / "earshot.toml"),
        "EARSHOT_BRANDS": str(home / "brands"),
        "EARSHOT_CREDENTIALS__KEYS": f"first:{SEED_KEY}",
        **({"EARSHOT_DATABASE__URL": database} if database else {}),
    }
    return System(home, env=env, arguments=("--no-desk",))


@contextmanager
def opened(system: System, truth: dict[str, Any], url: str) -> Iterator[Installation]:
    engine = db.connect(url)
    try:
        yield Installation(system, engine, truth)
    finally:
        system.kill()
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    home = tmp_path / "home"
    if request.param == "sqlite":
        truth = unpack("0.1.0.tar.xz", tmp_path)
        with opened(system_at(home), truth, f"sqlite:///{home}/earshot.db") as found:
            yield found
        return
    with postgres.fresh_database(request.getfixturevalue("postgres_url")) as url:
        truth = unpack("0.1.0-postgresql.tar.xz", tmp_path)
        fill(url, tmp_path / "dump.sql")
        with opened(system_at(home, url), truth, url) as found:
            yield found


def commands_of_the_how_to() -> list[str]:
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```", HOW_TO.read_text())
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("earshot ")]


def test_the_commands_of_the_how_to_are_those_that_are_tried_here() -> None:
    assert commands_of_the_how_to() == [*STEPS, *SHORT_WAY]


def test_the_installation_has_all_that_an_upgrade_may_lose() -> None:
    for name in ("0.1.0.tar.xz", "0.1.0-postgresql.tar.xz"):
        with tarfile.open(INSTALLATIONS / name) as packed:
            file = packed.extractfile("truth.json")
            assert file is not None
            truth = json.load(file)
        assert {state for _, _, state in truth["replies"]} >= {"queued", "sending"}
        assert {state for _, state in truth["items"]} >= {
            "queued",
            "assigned",
            "sending",
            "snoozed",
        }
        assert truth["counts"]["receipt"] > truth["counts"]["mention"] + 100, "nothing is unread"
        assert truth["drafts"]
        assert truth["dead"]
        assert truth["counts"]["credential"]
        assert len(truth["people"]) > 3


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_goes_on_by_the_how_to_and_loses_nothing(installation: Installation) -> None:
    before, grow, look, shed = STEPS
    installation.run(before)
    installation.run(grow)
    installation.system.start()
    wait_until(lambda: _is_settled(installation), 240, installation.system.tail, every_s=1)
    said = installation.run(look)
    assert "FAIL" not in said, said
    assert installation.system.stop() == 0
    installation.run(shed)

    truth = installation.truth
    _accounts_for_every_mention(installation)
    _finishes_every_reply_once(installation)
    known = {item for item, _ in installation.rows(ItemRow.id, ItemRow.state)}
    assert {item for item, _ in truth["items"]} <= known
    held = {row for (row,) in installation.rows(AssignmentRow.id)}
    assert {row for row, _, _ in truth["assignments"]} <= held
    drafts = installation.rows(DraftRow.item_id, DraftRow.person_id, DraftRow.text)
    assert drafts == sorted(truth["drafts"])
    dead = installation.rows(DeadLetterRow.topic, DeadLetterRow.partition, DeadLetterRow.offset)
    assert all(row in dead for row in truth["dead"])
    assert len(dead) == len(truth["dead"]) + 1  # that which nobody had read
    _lets_its_people_in(installation)
    assert _secret(installation) == SECRET


def _is_settled(installation: Installation) -> bool:
    drawn = installation.system.ledger()
    left = [drawn[name] for name in ("in_flight", "without_receipt", "difference")]
    states = {state for (state,) in installation.rows(ReplyRow.state)}
    dead = installation.count(DeadLetterRow)
    return (
        not any([*left, *(row["missing"] for row in drawn["rows"])])
        and installation.count(MentionRow) > installation.truth["counts"]["mention"]
        and states <= ENDED
        and dead > len(installation.truth["dead"])
    )


def _accounts_for_every_mention(installation: Installation) -> None:
    """Each that was collected is stored, and told of once, however often it was read."""
    receipts = {mention for mention, _ in installation.truth["receipts"]}
    stored = {mention for (mention,) in installation.rows(MentionRow.id)}
    assert receipts <= stored
    assert {name for name, _ in installation.truth["mentions"]} <= stored
    collected = installation.rows(ReceiptRow.mention_id, ReceiptRow.revision)
    assert all(row in collected for row in installation.truth["receipts"])
    with db.open_readers(installation.engine).begin() as session:
        arrivals = EventRow.kind.in_(["mention.new", "item.reopened"])
        told = session.scalar(select(func.count()).select_from(EventRow).where(arrivals))
    assert told == len(stored)


def _finishes_every_reply_once(installation: Installation) -> None:
    found = installation.rows(ReplyRow.key, ReplyRow.text, ReplyRow.state)
    assert [row[:2] for row in found] == sorted(row[:2] for row in installation.truth["replies"])
    posted = installation.posted()
    assert not {key: n for key, n in posted.items() if n > 1}
    assert {key for key, _, state in found if state == ReplyState.CONFIRMED} == set(posted)


def _lets_its_people_in(installation: Installation) -> None:
    people = installation.rows(PersonRow.email, PersonRow.name, PersonRow.password_hash)
    assert all(person in people for person in installation.truth["people"])
    hashes = {email: kept for email, _, kept in people}
    assert verify(PASSWORD, hashes["bob@acme.example"])
    assert not verify("another", hashes["bob@acme.example"])


def _secret(installation: Installation) -> str:
    ring = sealing.read_ring(f"first:{SEED_KEY}", "the test")
    with db.open_readers(installation.engine).begin() as session:
        return credentials.reveal(session, ring, "acme", "x-bearer")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_short_way_is_one_start(tmp_path: Path) -> None:
    home = tmp_path / "home"
    truth = unpack("0.1.0.tar.xz", tmp_path)
    with opened(system_at(home), truth, f"sqlite:///{home}/earshot.db") as installation:
        installation.system.start()
        engine, newest = installation.engine, schema.newest()
        wait_until(lambda: schema.current(engine) == newest, 60, installation.system.tail)
        wait_until(lambda: _is_settled(installation), 240, installation.system.tail, every_s=1)
        assert installation.system.stop() == 0
        _accounts_for_every_mention(installation)
        _finishes_every_reply_once(installation)
