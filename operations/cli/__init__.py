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
        "Offer queued items to responders, take back what is late.",
    ),
    "maintain": (
        "operations.cli.roles:maintain",
        "Store dead letters, trim the log, purge, and reconcile the ledger.",
    ),
    "send": ("operations.cli.roles:send", "Send replies and confirm them on the platform."),
    "serve": ("operations.cli.roles:serve", "Serve the desk to browsers."),
    "crew": ("operations.cli.roles:crew", "Run simulated colleagues who answer (demo only)."),
    "train": (
        "operations.cli.administration:train",
        "Train a model from LABELS, a CSV with the columns text, task and label.",
    ),
    "check": (
        "operations.cli.administration:check",
        "Check every setting, brand and policy, and report what is wrong.",
    ),
    "policy": ("operations.cli.policy:policy", "Routing policies: rewrite their conditions."),
    "ledger": (
        "operations.cli.administration:ledger",
        "Prove that every collected post is accounted for; exit with 1 if not.",
    ),
    "purge": (
        "operations.cli.purges:purge",
        "Delete what is past its retention, or everything by one author.",
    ),
    "doctor": (
        "operations.cli.doctor:doctor",
        "Check everything that Earshot needs, and report what is wrong.",
    ),
    "backup": (
        "operations.cli.backups:backup",
        "Back up everything into the new folder TARGET while the roles run.",
    ),
    "restore": (
        "operations.cli.backups:restore",
        "Restore the backup SOURCE into an empty home; no role may run.",
    ),
    "dead": (
        "operations.cli.dead:dead",
        "List, retry and drop records that could not be processed.",
    ),
    "db": (
        "operations.cli.administration:db",
        "Upgrade the database schema, or show its revision.",
    ),
    "credential": (
        "operations.cli.credentials:credential",
        "Store platform secrets in the database, encrypted with a master key.",
    ),
    "person": ("operations.cli.accounts:person", "Manage the people who can sign in."),
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
    help="The settings file; config/earshot.toml if it exists.",
)
@click.version_option(earshot.__version__)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Collect what people say about a brand, and answer in time."""
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
