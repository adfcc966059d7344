"""What a role tells of itself, over real HTTP and in lines of a log."""

from __future__ import annotations

import json
import logging
import socket
import statistics
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

import earshot
from earshot.runtime.metrics import Metrics
from earshot.runtime.telemetry import (
    CONNECTION_S,
    CONNECTIONS,
    OURS,
    PORT_STEP,
    HealthServer,
    HumanLines,
    JsonLines,
    Probe,
    set_up_logging,
)


class Ticks:
    """Seconds that a test lets pass."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def probe(ticks: Ticks) -> Probe:
    return Probe(ticks, stuck_after_s=10)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("collect")


@pytest.fixture
def server(probe: Probe, metrics: Metrics) -> Iterator[HealthServer]:
    made = HealthServer("127.0.0.1", 0, probe, metrics)
    yield made
    made.close()


def ask(server: HealthServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_role_lives_from_the_start_and_is_ready_after_its_first_step(
    server: HealthServer, probe: Probe
) -> None:
    assert ask(server, "/healthz") == (200, "ok\n")
    assert ask(server, "/readyz") == (503, "not ok\n")
    probe.step_done()
    assert ask(server, "/readyz") == (200, "ok\n")


def test_a_role_that_is_stuck_is_neither_alive_nor_ready(
    server: HealthServer, probe: Probe, ticks: Ticks
) -> None:
    probe.step_done()
    ticks.now += 10
    assert ask(server, "/healthz")[0] == ask(server, "/readyz")[0] == 503
    probe.step_done()
    assert ask(server, "/healthz")[0] == ask(server, "/readyz")[0] == 200


def test_metrics_are_served_as_prometheus_reads_them(
    server: HealthServer, metrics: Metrics
) -> None:
    metrics.add("posts_read", 3, source="x")
    metrics.set("log_lag", 7, topic="mentions")
    metrics.observe("step_seconds", 0.2)
    status, text = ask(server, "/metrics")
    assert status == 200
    assert 'earshot_posts_read_total{role="collect",source="x"} 3.0' in text
    assert 'earshot_log_lag{role="collect",topic="mentions"} 7.0' in text
    assert 'earshot_step_seconds_count{role="collect"} 1.0' in text


def test_another_path_says_which_there_are(server: HealthServer) -> None:
    assert ask(server, "/") == (404, "try /healthz, /readyz or /metrics\n")


def test_a_second_process_of_a_role_takes_the_next_port_in_steps_of_ten(
    server: HealthServer, probe: Probe, metrics: Metrics
) -> None:
    second = HealthServer("127.0.0.1", server.port, probe, metrics)
    try:
        assert second.port > server.port
        assert (second.port - server.port) % PORT_STEP == 0
        assert ask(second, "/healthz")[0] == ask(server, "/healthz")[0] == 200
    finally:
        second.close()


def test_a_port_that_does_not_exist_is_no_reason_to_die(probe: Probe, metrics: Metrics) -> None:
    server = HealthServer("127.0.0.1", 65_536 + 3, probe, metrics)
    try:
        assert ask(server, "/healthz")[0] == 200
    finally:
        server.close()


# ---------------------------------------------------------------- logs


def a_record(message: str = "gap", **extra: object) -> logging.LogRecord:
    record = logging.makeLogRecord(
        {"name": "collectors.collect", "levelno": logging.WARNING, "levelname": "WARNING"}
    )
    record.msg, record.created = message, 1_772_452_800.5
    vars(record).update(extra)
    return record


def test_a_line_of_json_has_time_level_message_and_fields() -> None:
    line = JsonLines().format(a_record(source="x", n=3, at_what={"a": 1}))
    assert json.loads(line) == {
        "at": "2026-03-02T12:00:00.500000+00:00",
        "level": "warning",
        "logger": "collectors.collect",
        "message": "gap",
        "source": "x",
        "n": 3,
        "at_what": {"a": 1},
    }


def test_a_line_for_people_has_time_role_message_and_fields() -> None:
    line = HumanLines("collect").format(a_record(source="x", n=3))
    assert line == "12:00:00 collect  WARNING gap source=x n=3"
    calm = a_record()
    calm.levelno = logging.INFO
    assert HumanLines("collect").format(calm) == "12:00:00 collect  gap"


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b[2J", "\u2028", "\u202e"])
def test_nobody_outside_can_forge_a_line(sign: str) -> None:
    record = a_record(reason=f"no such post{sign}12:00:00 collect all is well")
    human, machine = HumanLines("collect").format(record), JsonLines().format(record)
    assert human.isprintable()
    assert "\n" not in machine
    assert json.loads(machine)["reason"] == vars(record)["reason"]


def test_an_exception_is_told_with_its_traceback() -> None:
    record = a_record()
    try:
        int("lost")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: invalid literal" in json.loads(JsonLines().format(record))["exception"]
    assert HumanLines("collect").format(record).endswith("base 10: 'lost'")


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    found = logging.getLogger()
    handlers, level = list(found.handlers), found.level
    yield found
    found.handlers[:] = handlers
    found.setLevel(level)


def test_logs_go_to_standard_error_and_libraries_keep_quiet(
    root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging("collect", style="json", level="debug")
    logging.getLogger("collectors.platforms.x.source").debug("asked", extra={"posts": 2})
    logging.getLogger("kafka.conn").info("connected")
    out, err = capsys.readouterr()
    assert out == ""
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["asked"]


def test_the_loggers_of_every_package_of_ours_follow_the_level() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    installed = project["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    packages = {
        name
        for name in installed
        if (Path(earshot.__file__).parents[1] / name / "__init__.py").exists()
    }
    assert packages - {"migrations"} <= set(OURS)


def test_an_unknown_level_is_refused(root: logging.Logger) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        set_up_logging("collect", style="human", level="loud")


def silent(server: HealthServer, opening: bytes) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    line.sendall(opening)
    return line


@pytest.mark.parametrize("opening", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_400_silent_sockets_keep_no_probe_waiting_and_few_threads(
    server: HealthServer, opening: bytes
) -> None:
    threads = threading.active_count()
    with ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(silent(server, opening))
        took = []
        for _ in range(5):
            began = time.monotonic()
            assert ask(server, "/healthz")[0] == 200
            took.append(time.monotonic() - began)
        assert threading.active_count() <= threads + CONNECTIONS + 10  # some are about to end
    assert statistics.median(took) < 1


def test_a_connection_that_drips_is_closed_in_time(probe: Probe, metrics: Metrics) -> None:
    passed = Ticks()
    server = HealthServer("127.0.0.1", 0, probe, metrics, passed)
    try:
        with silent(server, b"GET /healthz HTTP/1.1\r\nX: ") as line:
            for _ in range(5):
                line.sendall(b"x")
            line.settimeout(0.2)
            until, said = time.monotonic() + 20, None
            while said is None and time.monotonic() < until:
                passed.now += CONNECTION_S
                with suppress(TimeoutError):
                    said = line.recv(100)
            assert said == b""
    finally:
        server.close()
