"""What the classify stage costs for each mention, part by part, without a log.

    python -m bench.classify                         what simulated people write
    python -m bench.classify --texts FILE.csv        the column `text` of a file

Messages are decoded, judged and encoded as the stage does it, with the shipped model and the
topics of the brand in `config/`. CPU time of one process; the first batches, which read the
language model and meet the commonest words, don't count.
"""

from __future__ import annotations

import csv
import json
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from classifier.classify import classified
from classifier.model.load import load_classifier
from collectors.contract.source import Cursor, Post
from collectors.platforms.simulator.config import SimulatorConfig
from collectors.platforms.simulator.source import Simulator
from earshot import brand
from earshot.log.topics import CLASSIFIED, MENTIONS
from tests.builders import a_mention

BRANDS = Path(__file__).parents[1] / "config" / "brands"
WARM_UP = 3
LANGUAGE_UNKNOWN_EVERY = 4
"""For the texts of a file: of every so many, a platform does not name the language of one."""


def simulated(count: int) -> list[bytes]:
    """Messages of the simulated world's first events."""
    with tempfile.TemporaryDirectory() as home:
        config = SimulatorConfig(rate=0, count=count, batch=10_000, backlog=0)
        world = Simulator(config, Path(home) / "store")
        posts: list[Post] = []
        cursor: Cursor | None = None
        more = True
        while more:
            batch = world.poll("p0", cursor)
            posts += batch.posts
            cursor, more = batch.cursor, batch.more
        world.close()
    return [
        MENTIONS.encode(
            a_mention(native_id=p.native_id, text=p.text, lang=p.lang, author=p.author, op=p.op)
        )
        for p in posts
    ]


def from_file(path: Path, count: int) -> list[bytes]:
    """Messages with the texts of a CSV file, said to be English."""
    with path.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for _, row in zip(range(count), csv.DictReader(file), strict=False)]
    return [
        MENTIONS.encode(
            a_mention(
                native_id=str(at), text=text, lang="en" if at % LANGUAGE_UNKNOWN_EVERY else ""
            )
        )
        for at, text in enumerate(texts)
    ]


def batches(raw: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(raw), size):
        yield raw[at : at + size]


@click.command()
@click.option("--texts", type=click.Path(exists=True, path_type=Path), help="A CSV file.")
@click.option("--count", default=40_000, show_default=True, help="Mentions at most.")
@click.option("--batch", default=1_000, show_default=True, help="Mentions a step.")
def main(texts: Path | None, count: int, batch: int) -> None:
    """Measure decoding, judging and encoding on this machine."""
    raw = from_file(texts, count) if texts else simulated(count)
    begun = time.process_time()
    classifier = load_classifier("", brand.load(BRANDS))
    loading_s = time.process_time() - begun
    spent = dict.fromkeys(("decode", "judge", "encode"), 0.0)
    counted = 0
    for number, some in enumerate(batches(raw, batch)):
        clock = [time.process_time()]
        mentions = [MENTIONS.decode(message) for message in some]
        clock.append(time.process_time())
        judged = classified(mentions, classifier)
        clock.append(time.process_time())
        for output in judged:
            CLASSIFIED.key(output)
            CLASSIFIED.encode(output)
        clock.append(time.process_time())
        if number >= WARM_UP:
            counted += len(some)
            for part, begin, end in zip(spent, clock, clock[1:], strict=False):
                spent[part] += end - begin
    result = {f"{part}_us": round(s / max(counted, 1) * 1e6, 1) for part, s in spent.items()}
    result |= {
        "all_us": round(sum(spent.values()) / max(counted, 1) * 1e6, 1),
        "mentions": counted,
        "loading_s": round(loading_s, 2),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    click.echo(json.dumps(result))


if __name__ == "__main__":
    main()
