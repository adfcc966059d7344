"""The collectors of one process take turns."""

from __future__ import annotations

import threading

from collectors.intake.turns import run
from earshot.log.contract import Log
from tests.collectors.test_collect import Make, Script, a_post, posts, published
from tests.collectors.test_collect import clock as clock  # noqa: PLC0414 -- fixtures, by their names
from tests.collectors.test_collect import collector as collector  # noqa: PLC0414
from tests.collectors.test_collect import engine as engine  # noqa: PLC0414
from tests.collectors.test_collect import log as log  # noqa: PLC0414


def test_the_loop_stops_when_it_is_told_and_closes_its_sources(collector: Make, log: Log) -> None:
    sources = [Script({"p": [posts(a_post("1"))]}), Script({"p": [posts(a_post("2"))]})]
    made = [collector(source, name=f"s{n}") for n, source in enumerate(sources)]
    stop = threading.Event()
    run(made, stop, stop.set)
    assert {m.source for m in published(log)} == {"s0", "s1"}
    assert all(source.closed for source in sources)
