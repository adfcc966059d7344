"""The command line: the composition root, where settings become running roles.

A command is imported only when it is called, and a stage only when its command runs, so that
`earshot --help` is instant.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

import earshot
from earshot.settings import CRASH_AT, Settings, load
from operations.cli.error_messages import in_words

DEFAULT_CONFIG = Path("config/earshot.toml")

COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("operations.cli.up:up", "Run every role on this machine until Ctrl-C."),
    "collect": (
        "operations.cli.roles:collect",
        "Collect mentions from the sources NAMES, or from all.",
    ),
    "classify": ("operations.cli.roles:classify", "Classify mentions."),
    "route": (
        "operations.cli.roles:route",
        "Store classified mentions and decide what becomes of them.",
    ),
    "sweep": (
        "operations.cli.roles:sweep",
        "Offer queued items to responders, take back what is late, bury dead letters.",
    ),
    "send": ("operations.cli.roles:send", "Send replies and confirm them on the platform."),
    "serve": ("operations.cli.roles:serve", "Serve the desk to browsers."),
    "crew": ("operations.cli.roles:crew", "Let simulated colleagues answer (demo only)."),
    "train": (
        "operations.cli.administration:train",
        "Train a model from LABELS, a CSV with the columns text, task and label.",
    ),
    "check": (
        "operations.cli.administration:check",
        "Read every setting, brand and policy, and say what is wrong with them.",
    ),
    "policy": ("operations.cli.policy:policy", "Routing policies: rewrite their conditions."),
    "ledger": (
        "operations.cli.administration:ledger",
        "Prove that all that was collected is accounted for; exit code 1 when it is not.",
    ),
    "purge": (
        "operations.cli.purges:purge",
        "Take out what is past its retention, or one author's words.",
    ),
    "doctor": (
        "operations.cli.doctor:doctor",
        "Look at everything that Earshot needs, and say what is wrong with it.",
    ),
    "backup": (
        "operations.cli.backups:backup",
        "Copy everything into the new folder TARGET, while all roles go on.",
    ),
    "restore": (
        "operations.cli.backups:restore",
        "Put the backup SOURCE back into an empty home, while no role runs.",
    ),
    "dead": (
        "operations.cli.dead:dead",
        "See, retry and drop records that could not be handled.",
    ),
    "db": (
        "operations.cli.administration:db",
        "Bring the database's schema up to date, or say where it stands.",
    ),
    "credential": (
        "operations.cli.credentials:credential",
        "Keep secrets of platforms in the database, sealed with a master key.",
    ),
    "person": ("operations.cli.accounts:person", "People who can sign in."),
}
"""Each command's place and its line of help; a test holds the latter to the command's own."""


class LazyGroup(click.Group):
    """The commands of `COMMANDS`, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: Any = getattr(importlib.import_module(module), name)
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup)
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
    context.obj = settings = _settings(config)
    if crash_at := os.environ.get(CRASH_AT):
        from earshot.runtime import crash_points

        with in_words():
            role = context.invoked_subcommand or ""
            crash_points.arm(crash_at, role, settings.home_path / "crashed")


def _settings(config: Path | None) -> Settings:
    if config is None and DEFAULT_CONFIG.exists():
        config = DEFAULT_CONFIG
    with in_words():
        return load(config, os.environ)
