"""Whether somebody listens at an address, before a client library is asked to connect there."""

from __future__ import annotations

import socket
import time

from earshot.log.contract import LogError


def wait_for_port(addresses: str, timeout_s: float) -> None:
    """Wait until one of `addresses` (host:port, several with commas) takes a connection.

    Raises LogError that names them after about `timeout_s` seconds, or at once for one that
    is no address.
    """
    places = [_parsed(address) for address in addresses.split(",")]
    until = time.monotonic() + timeout_s
    reason: OSError = TimeoutError("timed out")
    while True:
        for place in places:
            left = max(0.05, until - time.monotonic())
            try:
                socket.create_connection(place, timeout=left).close()
            except OSError as error:
                reason = error
            else:
                return
        if time.monotonic() >= until:
            break
        time.sleep(0.1)
    raise LogError(
        f"nobody answers at {addresses} within {timeout_s:g} s ({reason}): check that the broker"
        " runs and that this address is the right one"
    ) from reason


def _parsed(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise LogError(f"{address!r} is not an address: write host:port, several with commas")
    return host.strip("[]"), int(port)
