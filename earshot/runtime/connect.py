"""Which log and which database the settings mean: the one place that chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Engine

from earshot.database import db
from earshot.log.contract import Log, Producer
from earshot.log.spool.spool import SUFFIX, Spool
from earshot.log.spool.spooling import Backlog, SpoolingProducer
from earshot.log.topics import TOPICS
from earshot.runtime.wait_for_port import wait_for_port
from earshot.settings import Settings, SettingsError

KAFKA = "kafka://"

_REACH_S = 0.3
_CONNECT_S = 3.0
"""A collector goes on collecting meanwhile: it does not wait long for a broker that is away."""


def open_log(settings: Settings, role: str, instance: str = "") -> Log:
    """The log of the settings, with every topic made. Raises LogError or SettingsError.

    `instance` names this process among those of its role, the same after each restart.
    """
    log = _log(settings, f"earshot-{role}", f"{role}-{instance}" if instance else "")
    _make_topics(log, settings)
    return log


@dataclass(frozen=True)
class LogOutput:
    """Where a collector's records go. `drain` is called often: see `earshot.log.spool`."""

    producer: Producer
    drain: Callable[[], None]
    backlog: Callable[[], Backlog | None]
    close: Callable[[], None]


def open_log_output(settings: Settings, name: str) -> LogOutput:
    """The way to the log for the collector `name`; on Kafka with a spool, for when it is away.

    Raises LogError or SettingsError, but not for a Kafka that is away.
    """
    if not settings.log.url:
        log = open_log(settings, "collect")
        producer = log.producer()
        return LogOutput(producer, lambda: None, lambda: None, lambda: _close(producer, log))
    kafka = _log(settings, "earshot-collect", "", connect_timeout_s=_CONNECT_S)

    def connect() -> Producer:
        wait_for_port(settings.log.url.removeprefix(KAFKA), _REACH_S)
        _make_topics(kafka, settings)
        return kafka.producer()

    spool = Spool(spool_folder(settings) / f"{quote(name, safe='+')}{SUFFIX}")
    spooling = SpoolingProducer(connect, spool, settings.log.spool_mb * 2**20)
    return LogOutput(spooling, spooling.drain, spooling.backlog, lambda: _close(spooling, kafka))


def spool_folder(settings: Settings) -> Path:
    """Where the collectors of this machine keep their spools: see `earshot.log.spool`."""
    return settings.home_path / "spool"


def _close(producer: Producer, log: Log) -> None:
    producer.close()
    log.close()


def _make_topics(log: Log, settings: Settings) -> None:
    partitions = settings.log.partitions
    log.create({topic.name: partitions for topic in TOPICS} | {topic.dead: 1 for topic in TOPICS})


def _log(settings: Settings, client_id: str, instance: str, **timing: float) -> Log:
    """The log of the settings, not spoken to yet. Raises SettingsError."""
    url = settings.log.url
    if "@" in url:
        raise SettingsError(
            "log.url holds a name or a password, which would be shown: put them into "
            "log.sasl_username and log.sasl_password"
        )
    if not url:
        from earshot.log.sqlite.log import SqliteLog  # noqa: PLC0415 -- only the chosen one is loaded

        return SqliteLog(settings.home_path / "log")
    if url.startswith(KAFKA):
        from earshot.log.kafka.log import KafkaLog  # noqa: PLC0415 -- only the chosen one is loaded

        given = {
            "security_protocol": settings.log.security_protocol,
            "sasl_mechanism": settings.log.sasl_mechanism,
            "sasl_plain_username": settings.log.sasl_username,
            "sasl_plain_password": settings.log.sasl_password,
            "ssl_cafile": settings.log.ssl_cafile,
        }
        return KafkaLog(
            url.removeprefix(KAFKA),
            client_id,
            replication_factor=settings.log.replication,
            instance=instance,
            messages_per_record=settings.log.messages_per_record,
            **timing,
            **{name: value for name, value in given.items() if value},  # type: ignore[arg-type]  # all are the security options
        )
    raise SettingsError(
        "log.url is no address of a log; leave it empty for the log on this machine, or "
        "write kafka://host:port,host:port"
    )


def open_database(settings: Settings) -> Engine:
    """The database of the settings. Raises DatabaseError or SettingsError."""
    if not settings.database.url:
        try:
            settings.home_path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(
                f"home is {settings.home!r}, which can't be made a folder ({error.strerror}); "
                "set EARSHOT_HOME to a folder that may be written"
            ) from error
    return db.connect(settings.database_url)
