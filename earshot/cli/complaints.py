"""Errors that a person can act on, printed in one sentence instead of a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy.exc import DBAPIError

from earshot import db
from earshot.db import DatabaseError
from earshot.log import LogError
from earshot.settings import Settings, SettingsError
from earshot.stage import TooManyDead
from earshot.yaml_source import OperatorError


@contextmanager
def in_words(settings: Settings | None = None) -> Iterator[None]:
    """End the command with exit code 1 and the error's own words."""
    try:
        yield
    except (SettingsError, OperatorError, LogError, DatabaseError, TooManyDead) as error:
        raise click.ClickException(str(error)) from error
    except DBAPIError as error:
        url = settings.database_url if settings else ""
        raise click.ClickException(str(db.explain(error, url)) if url else str(error)) from error
