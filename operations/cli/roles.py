"""One command a role. Each loads its stage, builds it from the settings, and runs it."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import click

from earshot import brand as brands_file
from earshot.brand import Brand
from earshot.database import db, schema
from earshot.domain import Classified
from earshot.log.spool.spool import messages_spooled
from earshot.log.topics import CLASSIFIED, MENTIONS
from earshot.runtime import connect
from earshot.runtime.role import Running, running
from earshot.runtime.stage import Stage
from earshot.settings import Settings
from earshot.time.clock import Clock, shared_clock
from earshot.yaml_source import OperatorError
from operations.cli.error_messages import in_words
from operations.cli.sources import Built, build_matcher, build_sources

supervised = click.option(
    "--supervised", is_flag=True, hidden=True, help="Stop when the process above is gone."
)

clock_offset = click.option(
    "--clock-offset",
    type=float,
    default=0.0,
    hidden=True,
    metavar="SECONDS",
    help="Let the role's clock be wrong by so much (for tests of faults).",
)


as_instance = click.option(
    "--instance",
    default="",
    help="A name for this process, the same after each restart and no other's: on Kafka, its "
    "restart then leaves the other processes of the role alone.",
)


def role(name: str) -> Callable[[Callable[..., None]], click.Command]:
    """Make a role's body a command: it is given the settings and what it runs with."""

    def wrap(body: Callable[..., None]) -> click.Command:
        @click.command(name, help=body.__doc__)
        @supervised
        @clock_offset
        @click.pass_obj
        def command(
            settings: Settings,
            /,
            supervised: bool,  # noqa: FBT001 -- click passes options by name
            clock_offset: float,
            **options: Any,
        ) -> None:
            offset = timedelta(seconds=clock_offset)
            with (
                in_words(settings),
                running(settings, name, supervised=supervised, clock_offset=offset) as run,
            ):
                body(settings, run, **options)

        return command

    return wrap


def open_store(settings: Settings, run: Running) -> tuple[db.Sessions, Clock]:
    """Sessions on the settings' database, once its schema is the one we need, and its clock."""
    engine = connect.open_database(settings)
    schema.require(engine)
    return db.open_sessions(engine), shared_clock(engine, run.now)


def load_brands(settings: Settings) -> Mapping[str, Brand]:
    return brands_file.load(settings.resolve(settings.brands))


@click.argument("names", nargs=-1)
@role("collect")
def collect(settings: Settings, run: Running, names: tuple[str, ...]) -> None:
    """Collect mentions from the sources NAMES, or from all."""
    from collectors.collect import Collector
    from collectors.intake import turns

    brands = load_brands(settings)
    chosen = _chosen(settings, names)
    sessions, clock = open_store(settings, run)
    log_output = connect.open_log_output(settings, "+".join(names) or "all")
    collectors = [
        Collector(
            brand=built.brand,
            name=built.name,
            source=built.source(),
            matcher=build_matcher(brands[built.brand]),
            reply_length=built.reply_length(),
            sessions=sessions,
            producer=log_output.producer,
            metrics=run.metrics,
            clock=clock,
            part_done=run.probe.step_done,
            backlog=log_output.backlog,
        )
        for built in chosen
    ]

    def drain() -> None:
        log_output.drain()
        waiting = log_output.backlog()
        run.metrics.set("spool_records", waiting.messages if waiting else 0)
        run.metrics.set("spool_used_ratio", waiting.share if waiting else 0.0)

    turns.run(collectors, run.stop, run.probe.step_done, drain)
    log_output.close()


def _chosen(settings: Settings, names: tuple[str, ...]) -> list[Built]:
    known = build_sources(settings)
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise click.BadParameter(
            f"{', '.join(unknown)}: no such source; configured are {', '.join(sorted(known))}"
        )
    return [known[name] for name in names or known]


@as_instance
@role("classify")
def classify(settings: Settings, run: Running, instance: str) -> None:
    """Classify mentions."""
    from classifier.classify import classified
    from classifier.model.bundle import BadBundle
    from classifier.model.load import load_classifier

    try:
        classifier = load_classifier(settings.classify.model, load_brands(settings))
    except (BadBundle, ValueError) as error:
        raise OperatorError(f"classify.model: {error}") from error
    log = connect.open_log(settings, run.name, instance)
    producer = log.producer()
    stage = Stage(
        source=MENTIONS,
        sink=CLASSIFIED,
        handle=lambda mentions: classified(mentions, classifier),
        metrics=run.metrics,
        probe=run.probe,
        clock=run.now,
        monotonic=time.monotonic,
        batch_size=settings.classify.batch_size,
    )
    stage.run(log.consumer(MENTIONS.name, "classify"), producer, run.stop)
    producer.close()
    log.close()


@as_instance
@role("route")
def route(settings: Settings, run: Running, instance: str) -> None:
    """Store classified mentions and decide what becomes of them."""
    from router.policy.policy_file import load_policies
    from router.route import Router

    brands = load_brands(settings)
    policies = load_policies(settings.resolve(settings.brands), brands)
    sessions, clock = open_store(settings, run)
    router = Router(sessions, policies, clock)
    log = connect.open_log(settings, run.name, instance)
    producer = log.producer()

    def store(batch: Sequence[Classified]) -> tuple[()]:
        router.handle(batch)
        return ()

    stage: Stage[Classified, Any] = Stage(
        source=CLASSIFIED,
        sink=None,
        handle=store,
        metrics=run.metrics,
        probe=run.probe,
        clock=clock,
        monotonic=time.monotonic,
        batch_size=settings.route.batch_size,
    )
    stage.run(log.consumer(CLASSIFIED.name, "route"), producer, run.stop)
    producer.close()
    log.close()


@click.option("--instance", default="", hidden=True, help="Nothing: units of 0.1.0 give it.")
@role("sweep")
def sweep(settings: Settings, run: Running, instance: str) -> None:  # noqa: ARG001 -- see its help
    """Offer queued items to responders, take back what is late."""
    from operations.retention.clock_watch import ClockWatch
    from router import sweep as shell
    from router.policy.policy_file import load_policies

    policies = load_policies(settings.resolve(settings.brands), load_brands(settings))
    sessions, clock = open_store(settings, run)
    shell.run(
        sessions,
        policies,
        metrics=run.metrics,
        clock=clock,
        stop=run.stop,
        every_s=settings.route.sweep_every_s,
        step_done=run.probe.step_done,
        doubts=ClockWatch(sessions, run.metrics, "role:sweep").doubts,
    )


@as_instance
@role("maintain")
def maintain(settings: Settings, run: Running, instance: str) -> None:
    """Store dead letters, trim the log, purge, and reconcile the ledger."""
    from operations import maintain as shell
    from operations.accounting.reconciliation import JOIN_S, Reconciliation
    from operations.retention.clock_watch import ClockWatch
    from operations.retention.purger import Purger, shortest_s

    sessions, clock = open_store(settings, run)
    log = connect.open_log(settings, run.name, instance)
    reconciliation = Reconciliation(
        readers=db.open_readers(connect.open_database(settings)),
        log=log,
        brands=sorted(load_brands(settings)),
        metrics=run.metrics,
        clock=clock,
        monotonic=time.monotonic,
        spooled=lambda: messages_spooled(connect.spool_folder(settings)),
    ).start(run.stop)
    shell.run(
        sessions,
        log,
        metrics=run.metrics,
        clock=clock,
        stop=run.stop,
        every_s=settings.maintain.every_s,
        step_done=run.probe.step_done,
        retention_s=min(settings.log.retention_s, shortest_s(settings.retention)),
        purge=Purger(settings.retention, sessions).tick,
        doubts=ClockWatch(sessions, run.metrics).doubts,
    )
    reconciliation.join(JOIN_S)
    log.close()


@role("send")
def send(settings: Settings, run: Running) -> None:
    """Send replies and confirm them on the platform."""
    from collectors import send as shell

    responders = {
        name: responder
        for name, built in build_sources(settings).items()
        if (responder := built.responder()) is not None
    }
    sessions, clock = open_store(settings, run)
    sender = shell.Sender(
        responders=responders,
        sessions=sessions,
        metrics=run.metrics,
        clock=clock,
        reply_done=run.probe.step_done,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        lease_s=settings.send.lease_s,
        confirm_after_s=settings.send.confirm_after_s,
    )
    shell.run(sender, run.stop, settings.send.every_s, run.probe.step_done)


@click.command("serve")
@supervised
@click.pass_obj
def serve(settings: Settings, supervised: bool) -> None:  # noqa: FBT001 -- click passes options by name
    """Serve the desk to browsers."""
    from dashboard import serve as shell

    with in_words(settings):
        schema.require(connect.open_database(settings))
        shell.run(settings, load_brands(settings), supervised=supervised)


@role("crew")
def crew(settings: Settings, run: Running) -> None:
    """Run simulated colleagues who answer (demo only)."""
    from operations.demo.demo_agents import run as work

    work(*open_store(settings, run), run.stop, run.probe.step_done)
