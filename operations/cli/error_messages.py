"""Errors that a person can act on, printed in one sentence instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from earshot.settings import Settings, SettingsError


@contextmanager
def in_words(settings: Settings | None = None) -> Iterator[None]:
    """End the command with exit code 1 and the error's own words."""
    try:
        yield
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        words = _words(error, settings)
        if words is None:
            raise
        raise click.ClickException(words) from error


def _words(error: Exception, settings: Settings | None) -> str | None:
    """What to tell a person about `error`; None when only its traceback will do.

    What it asks for is imported here, so that a command which ends well need not wait for it.
    """
    from sqlalchemy.exc import DBAPIError

    from collectors.contract.source import PlatformError
    from earshot.database import db
    from earshot.log.contract import LogError
    from earshot.runtime.stage import TooManyDead
    from earshot.secrets.sealing import CredentialError
    from earshot.yaml_source import OperatorError
    from operations.backup.manifest import BackupError

    told = OperatorError | LogError | db.DatabaseError | BackupError | TooManyDead | PlatformError
    told |= CredentialError
    if isinstance(error, told):
        return str(error)
    if isinstance(error, DBAPIError):
        url = settings.database_url if settings else ""
        return str(db.explain(error, url)) if url else str(error)
    return None
