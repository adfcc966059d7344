"""Free ports of this machine."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def answers(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0


def wait_until_answers(port: int, within_s: float, what: str) -> None:
    """Raises TimeoutError that names what did not start."""
    end = time.monotonic() + within_s
    while not answers(port):
        if time.monotonic() > end:
            raise TimeoutError(f"{what} does not answer on {HOST}:{port} after {within_s} s")
        time.sleep(0.05)
