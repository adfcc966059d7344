"""Passwords: argon2id, and a check that takes as long for an unknown person as for a known."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

MIN_LENGTH = 10
MAX_LENGTH = 256

_HASHER = PasswordHasher()


class WeakPassword(Exception):
    """A password that is too short or too long to be accepted."""


def hash_password(password: str) -> str:
    """An argon2id hash with its parameters and salt. Raises WeakPassword."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise WeakPassword(
            f"a password needs {MIN_LENGTH} to {MAX_LENGTH} characters, got {len(password)}"
        )
    return _HASHER.hash(password)


def verify(password: str, password_hash: str) -> bool:
    """Whether `password` made the hash. An empty hash costs the same and is never right."""
    known = bool(password_hash)
    try:
        _HASHER.verify(password_hash or _nobody(), password[:MAX_LENGTH])
    except (VerifyMismatchError, InvalidHashError):
        return False
    return known


@cache
def _nobody() -> str:
    """A hash of the same cost, to compare with when there is nobody."""
    return _HASHER.hash("nobody has this password")
