"""`earshot dead`: what the desk's page of dead letters does, on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from sqlalchemy.orm import Session

from earshot.log import dead_letters
from earshot.log.dead_letters import DeadLetter, readable
from earshot.settings import Settings
from operations.cli.administration import session_of

ACTOR = "role:cli"

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
ids_given = click.argument("ids", nargs=-1, type=int, required=True)


@click.group()
def dead() -> None:
    """List, retry and drop records that could not be processed."""


@dead.command("list")
@click.option("--brand", default="", help="Only those of this brand.")
@click.option("--after", default=0, metavar="ID", help="Only those after this one.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@as_json
@click.pass_obj
def list_(settings: Settings, brand: str, after: int, limit: int, as_json: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """List the waiting dead letters, oldest first."""
    with session_of(settings) as session:
        found = dead_letters.waiting(session, brand=brand, after=after, limit=limit)
    for letter in found:
        if as_json:
            click.echo(msgspec.json.encode(_head(letter)))
        else:
            line = (letter.id, letter.topic, letter.brand, letter.source, letter.mention_id)
            click.echo("\t".join([*map(_line, line), _line(letter.reason)]))


@dead.command()
@click.argument("id", type=int)
@click.option("--brand", required=True, help="The brand it belongs to; '' if it has none.")
@as_json
@click.pass_obj
def show(settings: Settings, id: int, brand: str, as_json: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Show the dead letter ID: where it came from, why, and what was received."""
    with session_of(settings) as session:
        letter = dead_letters.find(session, brand, id)
    if letter is None:
        raise click.ClickException(
            f"{id} is no dead letter of brand {brand!r}; see `earshot dead list`"
        )
    value = readable(letter.value)
    before = dead_letters.original_headers(letter.headers)
    headers = {name: readable(text.encode()).text for name, text in before.items()}
    shown = _head(letter) | {
        "key": readable(letter.key).text,
        "headers": headers,
        "value": value.text,
        "left_out": value.left_out,
    }
    if as_json:
        click.echo(msgspec.json.encode(shown))
        return
    for name, said in shown.items():
        if name != "value":
            click.echo(f"{name}: {_line(said)}")
    click.echo(f"\n{value.text}")


@dead.command()
@ids_given
@as_json
@click.pass_obj
def retry(settings: Settings, ids: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Publish the dead letters IDS to their topic again."""
    _settle(settings, ids, dead_letters.want_retry, "will be retried", as_json=as_json)


@dead.command()
@ids_given
@as_json
@click.pass_obj
def drop(settings: Settings, ids: tuple[int, ...], as_json: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Drop the dead letters IDS; the ledger still counts them."""
    _settle(settings, ids, dead_letters.drop, "dropped", as_json=as_json)


Act = Callable[[Session, Iterable[int], str, datetime], int]


def _settle(
    settings: Settings, ids: tuple[int, ...], act: Act, word: str, *, as_json: bool
) -> None:
    wanted = len(set(ids))
    with session_of(settings) as session:
        done = act(session, ids, ACTOR, datetime.now(UTC))
    if as_json:
        click.echo(msgspec.json.encode({"asked": wanted, "done": done}))
    else:
        click.echo(f"{done} of {wanted} {word}")
    if done < wanted:
        raise click.ClickException(
            f"{wanted - done} of them are not waiting; see `earshot dead list`"
        )


def _head(letter: DeadLetter) -> dict[str, Any]:
    """What can be said of a letter without what it holds."""
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.place.offset,
        "place": str(letter.place),
        "brand": letter.brand,
        "source": letter.source,
        "mention_id": letter.mention_id,
        "revision": letter.revision,
        "state": letter.state,
        "reason": letter.reason,
        "buried_at": letter.buried_at,
        "settled_at": letter.settled_at,
        "settled_by": letter.settled_by,
    }


def _line(said: object) -> str:
    """Text from outside on one line, in which nothing acts: no tab, no escape sequence."""
    return readable(str(said).encode()).text.replace("\n", "\\n")
