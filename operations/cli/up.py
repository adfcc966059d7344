"""`earshot up`: everything on this machine, supervised, with a sign-in link at the end."""

from __future__ import annotations

import logging
import re
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import select

from earshot import brand as brands_file
from earshot.database import db, schema
from earshot.database.tables import BrandRow, PersonRow
from earshot.domain import Role
from earshot.runtime import connect
from earshot.runtime.telemetry import set_up_logging
from earshot.settings import Settings, SettingsError
from operations.cli.error_messages import in_words
from operations.cli.sources import DEMO_SOURCE, build_sources, is_demo
from operations.supervise import Child, Supervisor

logger = logging.getLogger(__name__)

OWNER = "you@localhost"
LINK_TTL = timedelta(hours=12)
READY_S = 60.0

HEAD_START_S = 1.5
"""How much sooner the desk starts than the rest: all at once, each waits for all the others."""


@click.command()
@click.option("--classifiers", default=1, show_default=True, help="How many classify processes.")
@click.option("--routers", default=1, show_default=True, help="How many route processes.")
@click.option("--no-desk", is_flag=True, help="Run without the web pages.")
@click.pass_context
def up(context: click.Context, classifiers: int, routers: int, no_desk: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Run every role on this machine until Ctrl-C."""
    settings: Settings = context.obj
    set_up_logging("up", style=settings.telemetry.format, level=settings.telemetry.level)
    with in_words(settings):
        token = prepare(settings, terminal=sys.stderr.isatty())
        names = [DEMO_SOURCE] if is_demo(settings) else list(build_sources(settings))
        connect.open_log(settings, "up").close()
        if not no_desk:
            require_free(settings.web.host, settings.web.port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    config = context.parent.params.get("config") if context.parent else None
    before = [sys.executable, "-m", "operations", *(["--config", str(config)] if config else [])]
    children = [_child(before, "collect", name) for name in names]
    children += [_member(before, "classify", number) for number in range(classifiers)]
    children += [_member(before, "route", number) for number in range(routers)]
    children += [_child(before, "sweep"), _child(before, "send"), _member(before, "maintain", 0)]
    if is_demo(settings) and settings.demo.crew:
        children.append(_child(before, "crew"))
    if not no_desk:
        for child in children:
            child.due_at = time.monotonic() + HEAD_START_S
        children.append(_child(before, "serve"))
        threading.Thread(
            target=_announce, args=(settings, token, stop), name="announce", daemon=True
        ).start()
    Supervisor(children).run(stop)


def prepare(settings: Settings, *, terminal: bool) -> str:
    """Bring schema, brands and the first person up to date; the token of a sign-in link.

    Empty when the first person's account is disabled and, unless a `terminal` shows it, when they
    have signed in before: a log is kept, and whoever reads it could sign in by the link.
    """
    from dashboard.accounts import people

    engine = connect.open_database(settings)
    schema.upgrade(engine)
    brands = brands_file.load(settings.resolve(settings.brands))
    now = datetime.now(UTC)
    with db.open_sessions(engine).begin() as session:
        rows = [{"slug": brand.slug, "name": brand.name} for brand in brands.values()]
        db.upsert(session, BrandRow, rows, key=("slug",), replace=("name",))
        owner = session.scalar(select(PersonRow.id).where(PersonRow.email == OWNER))
        if owner is None:
            owner = people.create_person(session, OWNER, "You", now)
            for brand in brands.values():
                people.join(
                    session,
                    brand.slug,
                    owner,
                    roles=list(Role),
                    teams=("care", "tech", "social"),
                    langs=brand.languages,
                    on_duty=True,
                )
        if is_demo(settings) and settings.demo.crew:
            from operations.demo.demo_agents import hire

            for brand in brands.values():
                hire(session, brand.slug, now)
        needs_link = people.may_sign_in(session, owner) and (
            terminal or not people.has_signed_in(session, owner)
        )
        token = people.sign_in_link(session, owner, now, LINK_TTL) if needs_link else ""
    engine.dispose()
    return token


def require_free(host: str, port: int) -> None:
    """Raise SettingsError unless the desk's port can be opened."""
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise SettingsError(
            f"web.port is {port}, which can't be opened on {host} ({error.strerror}); "
            "stop what holds it, or choose another with PORT=8081"
        ) from error


def _child(before: list[str], name: str, *arguments: str) -> Child:
    return Child(" ".join((name, *arguments)), [*before, name, "--supervised", *arguments])


def _member(before: list[str], name: str, number: int) -> Child:
    """A role that is a member of groups, under a name that its restart has again."""
    host = re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:100]
    return _child(before, name, "--instance", f"{host}-{number}")


def _announce(settings: Settings, token: str, stop: threading.Event) -> None:
    """Print the address once the desk answers; say so if it does not."""
    address = (
        settings.web.public_url or f"http://{_reachable(settings.web.host)}:{settings.web.port}"
    )
    probe = f"http://{_reachable(settings.web.host)}:{settings.web.port}/login"
    until = time.monotonic() + READY_S
    while not stop.is_set() and time.monotonic() < until:
        try:
            with urllib.request.urlopen(probe, timeout=2):
                break
        except urllib.error.HTTPError:
            break
        except OSError:
            stop.wait(0.1)
    else:
        if not stop.is_set():
            logger.error("the desk does not answer", extra={"address": probe, "after_s": READY_S})
        return
    click.echo(
        f"\n  Earshot is at   {address}\n"
        + (f"  Sign in once at {address}/signin/{token}\n" if token else "")
        + f"  Data are in     {settings.home_path}\n"
        "  Stop with Ctrl-C\n",
        err=True,
    )


def _reachable(host: str) -> str:
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 -- compared, not bound
