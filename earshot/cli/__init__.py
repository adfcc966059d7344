"""The command line: the composition root, where settings become running roles.

A stage is imported only inside the command that runs it, so that `earshot --help` is instant.
"""

from __future__ import annotations

import os
from pathlib import Path

import click

import earshot
from earshot.cli import administration, roles, up
from earshot.cli.complaints import in_words
from earshot.settings import Settings, load

DEFAULT_CONFIG = Path("config/earshot.toml")


@click.group()
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="EARSHOT_CONFIG",
    help="The settings' file; config/earshot.toml if it is there.",
)
@click.version_option(earshot.__version__)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Hear what is said about a brand, and answer in time."""
    context.obj = _settings(config)


def _settings(config: Path | None) -> Settings:
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    with in_words():
        return load(config, os.environ)


for _command in (
    up.up,
    roles.collect,
    roles.classify,
    roles.route,
    roles.sweep,
    roles.send,
    roles.serve,
    roles.crew,
    administration.train,
    administration.check,
    administration.ledger,
    administration.dead,
    administration.db,
    administration.person,
):
    main.add_command(_command)
