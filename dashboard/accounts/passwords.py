"""Passwords: argon2id, and a check that takes as long for an unknown person as for a known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

MIN_LENGTH = 10
MAX_LENGTH = 256

_HASHER = PasswordHasher()

AT_ONCE = 4
"""Each hash takes 64 MiB: without a bound, a burst of sign-ins takes all memory there is."""

TURN_TIMEOUT_S = 5.0
_turns = BoundedSemaphore(AT_ONCE)


class TooBusy(Exception):
    """So many passwords are being checked that another would wait for too long."""


class WeakPassword(Exception):
    """A password that is too short or too long to be accepted."""


def hash_password(password: str) -> str:
    """An argon2id hash with its parameters and salt. Raises WeakPassword, TooBusy."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword(
            f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(password)}"
        )
    with _turn():
        return _HASHER.hash(password)


def verify(password: str, password_hash: str) -> bool:
    """Whether `password` made the hash. An empty hash costs the same and is never right.

    Raises TooBusy.
    """
    known = bool(password_hash)
    try:
        with _turn():
            _HASHER.verify(password_hash or _nobody(), password[:MAX_LENGTH])
    except (VerifyMismatchError, InvalidHashError):
        return False
    return known


@cache
def _nobody() -> str:
    """A hash of the same cost, to compare with when there is nobody."""
    return _HASHER.hash("nobody has this password")


@contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(timeout=TURN_TIMEOUT_S):
        raise TooBusy
    try:
        yield
    finally:
        _turns.release()
