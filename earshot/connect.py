"""Which log and which database the settings mean: the one place that chooses."""

from __future__ import annotations

from sqlalchemy import Engine

from earshot import db
from earshot.log import Log
from earshot.settings import Settings, SettingsError
from earshot.topics import TOPICS

KAFKA = "kafka://"


def open_log(settings: Settings, role: str, instance: str = "") -> Log:
    """The log of the settings, with every topic made. Raises LogError or SettingsError.

    `instance` names this process among those of its role, the same after each restart.
    """
    url = settings.log.url
    log: Log
    if "@" in url:
        raise SettingsError(
            "log.url holds a name or a password, which would be shown: put them into "
            "log.sasl_username and log.sasl_password"
        )
    if not url:
        from earshot.sqlite_log import SqliteLog  # noqa: PLC0415 -- only the chosen one is loaded

        log = SqliteLog(settings.home_path / "log")
    elif url.startswith(KAFKA):
        from earshot.kafka.log import KafkaLog  # noqa: PLC0415 -- only the chosen one is loaded

        given = {
            "security_protocol": settings.log.security_protocol,
            "sasl_mechanism": settings.log.sasl_mechanism,
            "sasl_plain_username": settings.log.sasl_username,
            "sasl_plain_password": settings.log.sasl_password,
            "ssl_cafile": settings.log.ssl_cafile,
        }
        log = KafkaLog(
            url.removeprefix(KAFKA),
            f"earshot-{role}",
            replication_factor=settings.log.replication,
            instance=f"{role}-{instance}" if instance else "",
            **{name: value for name, value in given.items() if value},  # type: ignore[arg-type]  # all are the security options
        )
    else:
        raise SettingsError(
            f"log.url begins with {url.partition(':')[0][:20]!r}; leave it empty for the log on "
            "this machine, or write kafka://host:port,host:port"
        )
    partitions = settings.log.partitions
    log.create({topic.name: partitions for topic in TOPICS} | {topic.dead: 1 for topic in TOPICS})
    return log


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
