"""What a mention costs where few, a million and five million are stored.

    python -m bench.growth --json                  SQLite
    python -m bench.growth --servers --json        Kafka and PostgreSQL, their work included

Stores the first mentions with the product itself, measures a run of `--posts` as
`bench.pipeline` does, fills the database with copies of what was stored, and measures again.
One JSON object for each level.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click
from sqlalchemy import text

from bench.fill import fill
from bench.installation import Installation, Servers, installation, place, world
from bench.pipeline import FIRST_POSTS, machine
from bench.watch import MOST_S, Watch, start_up
from earshot.database import db


@click.command()
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=int,
    default=(10_000, 1_000_000, 5_000_000),
    show_default=True,
    help="Mentions stored before a run; give it several times, in rising order.",
)
@click.option("--posts", default=50_000, show_default=True, help="Posts of each run.")
@click.option("--batch", default=1000, show_default=True, help="As in bench.pipeline.")
@click.option("--servers", is_flag=True, help="Start a Kafka broker and a PostgreSQL server.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on a line for each level.")
def main(
    levels: tuple[int, ...],
    posts: int,
    batch: int,
    servers: bool,  # noqa: FBT001 -- click passes options by name
    as_json: bool,  # noqa: FBT001 -- click passes options by name
) -> None:
    """Measure how the cost of a mention grows with what is stored."""
    with (
        place(None if servers else Servers()) as (folder, where),
        installation(folder / "home", where, batch=batch) as installed,
    ):
        told = levels[0]
        run(installed, FIRST_POSTS, told, batch)
        for level in levels:
            filled = filled_to(installed, level) if level != levels[0] else {}
            told += posts
            result = {
                "backend": where.name,
                "machine": machine(),
                "level": level,
                **filled,
                **run(installed, told - posts, told, batch),
            }
            click.echo(json.dumps(result, indent=None if as_json else 2))


def run(installed: Installation, before: int, told: int, batch: int) -> dict[str, Any]:
    """Let the world go on from `before` posts until `told` in all; what that cost."""
    watch = Watch(installed, start_up(installed, world(before, 0.0, batch)))
    written = database_bytes(installed)
    installed.start(world(told, 0.0, batch))
    watch.run(MOST_S)
    installed.stop()
    figures = watch.figures()
    watch.close()
    now = database_bytes(installed)
    figures["database_mb"] = round(now["size"] / 2**20)
    if "wal" in now:
        figures["wal_bytes_per_mention"] = round((now["wal"] - written["wal"]) / figures["stored"])
    return figures


def filled_to(installed: Installation, level: int) -> dict[str, Any]:
    """Fill the database until `level` mentions are stored."""
    began = time.monotonic()
    engine = db.connect(installed.database_url)
    stored = fill(engine, level)
    engine.dispose()
    return {"stored_before": stored, "filled_in_s": round(time.monotonic() - began)}


def database_bytes(installed: Installation) -> dict[str, int]:
    """How large the database is, and how far its write-ahead log has come in all."""
    engine = db.connect(installed.database_url)
    try:
        with engine.connect() as connection:
            if engine.dialect.name != "postgresql":
                return {"size": Path(str(engine.url.database)).stat().st_size}
            size, wal = connection.execute(
                text("select pg_database_size(current_database()), pg_current_wal_lsn() - '0/0'")
            ).one()
            return {"size": int(size), "wal": int(wal)}
    finally:
        engine.dispose()


if __name__ == "__main__":
    main()
