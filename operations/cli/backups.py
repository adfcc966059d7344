"""`earshot backup` and `earshot restore`."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.orm import Session

from earshot.runtime import connect
from earshot.settings import Settings
from operations.backup import backup as backups
from operations.backup import restore as restores
from operations.backup.manifest import Manifest
from operations.cli.error_messages import in_words

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("target", type=_FOLDER)
@click.pass_context
def backup(context: click.Context, target: Path) -> None:
    """Back up everything into the new folder TARGET while the roles run.

    The copy holds people's words and secrets: keep it where only those may read it who may read
    the original. docs/how-to/back-up-and-restore.md says what is in it.
    """
    settings: Settings = context.obj
    config = _config_of(context)
    with in_words(settings):
        offsets: backups.Offsets = {}
        if settings.log.url:
            with closing(connect.open_log(settings, "backup")) as log:
                offsets = backups.offsets_of(log)
        installation = backups.Installation(settings, config, offsets)
        taken = backups.take(installation, target.resolve(), datetime.now(UTC))
    size = sum(file.size for file in taken.files)
    click.echo(f"{len(taken.files)} files, {size / 1e6:.1f} MB, are in {target}")


def _config_of(context: click.Context) -> Path | None:
    from operations.cli import DEFAULT_CONFIG

    given: Path | None = context.parent.params.get("config") if context.parent else None
    if given is None and DEFAULT_CONFIG.exists():
        return DEFAULT_CONFIG
    return given


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Move existing files into a folder below `home`.")
@click.pass_obj
def restore(settings: Settings, source: Path, force: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Restore the backup SOURCE into an empty home; no role may run.

    Replies that may have been sent since the backup was taken are looked for on the platform
    before anything is sent.
    """
    from collectors.delivery.after_restore import doubt_replies

    def settle(session: Session, taken: Manifest, now: datetime) -> int:
        return doubt_replies(session, taken.taken_at, now)

    now = datetime.now(UTC)
    with in_words(settings):
        doubted = restores.restore(settings, source.resolve(), settle, now, force=force)
    click.echo(f"restored into {settings.home_path}")
    if doubted:
        click.echo(f"{doubted} replies will be checked on the platform before any is sent")
    click.echo("next: earshot doctor --stopped, then start the roles")
