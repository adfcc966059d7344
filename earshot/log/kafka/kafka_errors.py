"""What kafka-python's errors mean, in a sentence that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.errors import FencedInstanceIdError, KafkaError

from earshot.log.contract import LogError


@contextmanager
def kafka_errors(bootstrap: str, doing: str) -> Iterator[None]:
    """Turn the library's errors into a LogError that says what to do."""
    try:
        yield
    except FencedInstanceIdError as error:
        raise LogError(
            f"Kafka at {bootstrap}: {doing} failed: another process joined under the same name;"
            " stop one of them, or start each with an --instance of its own"
        ) from error
    except (KafkaError, OSError) as error:
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        advice = "check that the broker runs, that this address reaches it, and its security"
        raise LogError(f"Kafka at {bootstrap}: {doing} failed: {what}; {advice}") from error
