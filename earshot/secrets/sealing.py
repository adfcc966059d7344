"""Secrets at rest: sealed with AES-256-GCM under a key of a ring, bound to their place. Pure.

What is sealed names the key that sealed it, so that keys can be changed one after the other.
The place (brand and name) is authenticated with it: a sealed secret that was copied onto
another row, or from another installation, does not open.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
"""GCM's own length. A random nonce is safe for 2**32 secrets under one key (NIST SP 800-38D)."""

KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PURPOSE = "earshot credential 1"


class CredentialError(Exception):
    """A secret can't be kept or opened; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True, repr=False)
class KeyRing:
    """Master keys by id. The first seals; all of them open. Never printed."""

    keys: Mapping[str, bytes]

    @property
    def first(self) -> str:
        return next(iter(self.keys))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.keys)})"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret that only the key `key_id` opens, and only at its place."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


def read_ring(text: str, where: str) -> KeyRing:
    """The keys in `text`: `id:base64`, divided by commas or lines, the one that seals first.

    Raises CredentialError that says which entry of `where` is wrong, without showing a key.
    """
    keys: dict[str, bytes] = {}
    entries = [entry.strip() for entry in re.split(r"[,\n]", text) if entry.strip()]
    for number, entry in enumerate(entries, 1):
        name, _, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not KEY_ID.fullmatch(name) or len(key) != KEY_BYTES:
            raise CredentialError(
                f"{where}, key {number}: write id:key, the key being {KEY_BYTES} random bytes in "
                "base64, as `head -c 32 /dev/urandom | base64` makes them"
            )
        if name in keys:
            raise CredentialError(f"{where}: the key ID {name!r} is there twice; rename one")
        keys[name] = key
    if not keys:
        raise CredentialError(f"{where}: there is no key in it")
    return KeyRing(keys)


def write_ring(ring: KeyRing) -> str:
    """The ring as `read_ring` reads it, one key a line."""
    lines = (f"{name}:{base64.b64encode(key).decode()}" for name, key in ring.keys.items())
    return "".join(f"{line}\n" for line in lines)


def seal(ring: KeyRing, brand: str, name: str, secret: str, nonce: bytes) -> Sealed:
    """`secret` under the ring's first key. `nonce` is `NONCE_BYTES` fresh random bytes."""
    key_id = ring.first
    place = _place(brand, name, key_id)
    return Sealed(key_id, nonce, AESGCM(ring.keys[key_id]).encrypt(nonce, secret.encode(), place))


def unseal(ring: KeyRing, brand: str, name: str, sealed: Sealed) -> str:
    """The secret. Raises CredentialError that says whether a key is missing or wrong."""
    key = ring.keys.get(sealed.key_id)
    if key is None:
        raise CredentialError(
            f"credential {name!r} of {brand} is sealed with the key {sealed.key_id!r}, which is "
            f"not among {', '.join(ring.keys)}: add that key behind the others, or set the "
            "credential again"
        )
    try:
        opened = AESGCM(key).decrypt(
            sealed.nonce, sealed.ciphertext, _place(brand, name, sealed.key_id)
        )
    except (InvalidTag, ValueError) as error:
        raise CredentialError(
            f"credential {name!r} of {brand} does not open with the key {sealed.key_id!r}: either "
            "that is not the key it was sealed with, or the row was changed or belongs elsewhere. "
            "Give the right key, or set the credential again with `earshot credential set`"
        ) from error
    return opened.decode()


def _place(brand: str, name: str, key_id: str) -> bytes:
    """What is authenticated besides the secret; no part can hold the divider."""
    return f"{_PURPOSE}\0{brand}\0{name}\0{key_id}".encode()
