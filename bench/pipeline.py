"""How many mentions a second the whole system carries, and how soon one is queued.

    python -m bench.pipeline --count 60000                SQLite, as fast as it goes
    python -m bench.pipeline --servers --seconds 300      Kafka and PostgreSQL, sustained
    python -m bench.pipeline --rate 1000 --seconds 30     SQLite, paced: the latency

Runs `earshot up` with the simulator as its source, every label set, everything durable, on
this one machine. Throughput is stored mentions over the time between the first and the last
stored one. Latency is taken by watching the event table: from the time a mention was
collected to the time its event can be read. CPU is that of each part's processes less what
their start took, those of broker and database included where `--servers` starts them.
"""

from __future__ import annotations

import json
import os
import platform

import click

from bench.installation import Servers, installation, place, world
from bench.watch import MOST_S, Watch, start_up

FIRST_POSTS = 4
"""Told before the measurement: a world without any would be one without an end."""


@click.command()
@click.option("--count", default=60_000, show_default=True, help="Posts, without --seconds.")
@click.option("--rate", default=0.0, help="Posts a second; 0: as fast as it goes.")
@click.option("--seconds", default=0, help="How long, from the first stored mention on.")
@click.option(
    "--batch",
    default=1000,
    show_default=True,
    help="Posts a poll, and mentions a step of each stage.",
)
@click.option("--servers", is_flag=True, help="Start a Kafka broker and a PostgreSQL server.")
@click.option("--kafka", default="", help="HOST:PORT of a broker.")
@click.option("--postgres", default="", help="URL of an empty database.")
@click.option("--classifiers", default=1, show_default=True)
@click.option("--routers", default=1, show_default=True)
@click.option(
    "--messages-per-record", default=1, show_default=True, help="On Kafka; 64: the packed form."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on one line.")
def main(
    count: int,
    rate: float,
    seconds: int,
    batch: int,
    servers: bool,  # noqa: FBT001 -- click passes options by name
    kafka: str,
    postgres: str,
    classifiers: int,
    routers: int,
    messages_per_record: int,
    as_json: bool,  # noqa: FBT001 -- click passes options by name
) -> None:
    """Measure the whole path on this machine."""
    given = None if servers else Servers(kafka, postgres)
    posts = 0 if seconds else count
    with (
        place(given) as (folder, where),
        installation(
            folder / "home",
            where,
            batch=batch,
            classifiers=classifiers,
            routers=routers,
            messages_per_record=messages_per_record,
        ) as installed,
    ):
        watch = Watch(installed, start_up(installed, world(FIRST_POSTS, 0.0, batch)))
        installed.start(world(posts, rate, batch))
        watch.run(seconds or MOST_S, from_the_first=bool(seconds))
        installed.stop()
        figures = watch.figures()
        watch.close()
        ledger = installed.system.ledger()
        if not as_json:
            click.echo(installed.system.log()[-2_000:], err=True)
        name = where.name
    result = {
        "backend": name,
        "rate": rate,
        "messages_per_record": messages_per_record,
        "machine": machine(),
        **figures,
        "ledger": {name: value for name, value in ledger.items() if name != "rows"},
    }
    click.echo(json.dumps(result, indent=None if as_json else 2))


def machine() -> str:
    """The machine in a few words."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
