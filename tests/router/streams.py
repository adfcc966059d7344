"""What authors want, and batches handed to the router, for tests."""

from __future__ import annotations

from datetime import timedelta

from earshot.database.db import Sessions
from earshot.domain import Classification, Classified
from router.route import Router
from tests.builders import NOON, a_classification, a_label
from tests.router.policies import a_policy

POLICY = a_policy()
MINUTE = timedelta(minutes=1)


def wants(intent: str = "question", sure: float = 0.9, topic: str = "checkout") -> Classification:
    return a_classification(intent=a_label(intent, sure), topics=(a_label(topic, 0.9),))


QUESTION, REMARK, UNSURE = wants(), wants("remark"), wants(sure=0.4)
OUTAGE = wants(topic="outage")


def routed(sessions: Sessions, *batches: list[Classified]) -> None:
    router = Router(sessions, {"acme": POLICY}, lambda: NOON)
    for batch in batches:
        router.handle(batch)
