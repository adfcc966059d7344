"""Platform credentials in the database: sealed rows, each change with its event.

A source names one where it would hold a secret: `bearer_token = { credential = "x-bearer" }`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from earshot.database import db
from earshot.database.tables import CredentialRow
from earshot.items.events import EventKind
from earshot.items.lifecycle import record
from earshot.secrets.sealing import NONCE_BYTES, CredentialError, KeyRing, Sealed, seal, unseal

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
LENGTH_LIMIT = 16_384
"""The longest secret, in characters: a private key in PEM fits."""

Nonce = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Listed:
    """A credential as it may be shown: everything but the secret."""

    brand: str
    name: str
    key_id: str
    created_at: datetime
    changed_at: datetime


def fresh_nonce() -> bytes:
    return secrets.token_bytes(NONCE_BYTES)


def put(
    session: Session,
    ring: KeyRing,
    brand: str,
    name: str,
    secret: str,
    *,
    actor: str,
    now: datetime,
    nonce: Nonce = fresh_nonce,
) -> None:
    """Keep `secret` under `name`, in place of what was there. Raises CredentialError."""
    if not NAME.fullmatch(name):
        raise CredentialError(
            f"{name!r} can't name a credential; write small letters, digits and hyphens"
        )
    if not secret.strip():
        raise CredentialError(f"the secret for {name!r} is empty; nothing was changed")
    if len(secret) > LENGTH_LIMIT:
        raise CredentialError(
            f"the secret for {name!r} has {len(secret)} characters, at most {LENGTH_LIMIT} are kept"
        )
    before = _row(session, brand, name)
    _store(session, brand, name, seal(ring, brand, name, secret, nonce()), now)
    was = {"key": before.key_id} if before else None
    _tell(
        session,
        EventKind.CREDENTIAL_SET,
        brand,
        name,
        actor,
        now,
        before=was,
        after={"key": ring.first},
    )


def reveal(session: Session, ring: KeyRing, brand: str, name: str) -> str:
    """The secret. Raises CredentialError if there is none, or it does not open."""
    row = _row(session, brand, name)
    if row is None:
        raise CredentialError(
            f"there is no credential {name!r} of {brand}; "
            f"set it with `earshot credential set {brand} {name}`"
        )
    return unseal(ring, brand, name, Sealed(row.key_id, row.nonce, row.ciphertext))


def listed(session: Session) -> list[Listed]:
    """Every credential, by brand and name."""
    rows = session.scalars(select(CredentialRow).order_by(CredentialRow.brand, CredentialRow.name))
    return [Listed(r.brand, r.name, r.key_id, r.created_at, r.changed_at) for r in rows]


def remove(session: Session, brand: str, name: str, *, actor: str, now: datetime) -> None:
    """Forget a credential. Raises CredentialError if there is none."""
    found = CredentialRow.brand == brand, CredentialRow.name == name
    gone = session.execute(delete(CredentialRow).where(*found).returning(CredentialRow.key_id))
    key_id = gone.scalar_one_or_none()
    if key_id is None:
        raise CredentialError(
            f"there is no credential {name!r} of {brand}; `earshot credential list` shows them"
        )
    _tell(session, EventKind.CREDENTIAL_REMOVED, brand, name, actor, now, before={"key": key_id})


def rotate(
    session: Session, ring: KeyRing, *, actor: str, now: datetime, nonce: Nonce = fresh_nonce
) -> int:
    """Seal all that is not under the ring's first key with it; how many that were.

    Raises CredentialError if one does not open: then, with the transaction, none is changed.
    """
    old = session.scalars(
        select(CredentialRow)
        .where(CredentialRow.key_id != ring.first)
        .order_by(CredentialRow.brand, CredentialRow.name)
        .with_for_update()
    ).all()
    for row in old:
        brand, name, before = row.brand, row.name, row.key_id
        secret = unseal(ring, brand, name, Sealed(before, row.nonce, row.ciphertext))
        _store(session, brand, name, seal(ring, brand, name, secret, nonce()), now)
        keys = {"before": {"key": before}, "after": {"key": ring.first}}
        _tell(session, EventKind.CREDENTIAL_ROTATED, brand, name, actor, now, **keys)
    return len(old)


def _row(session: Session, brand: str, name: str) -> CredentialRow | None:
    return session.get(CredentialRow, (brand, name), populate_existing=True)


def _store(session: Session, brand: str, name: str, sealed: Sealed, now: datetime) -> None:
    row = {
        "brand": brand,
        "name": name,
        "key_id": sealed.key_id,
        "nonce": sealed.nonce,
        "ciphertext": sealed.ciphertext,
        "created_at": now,
        "changed_at": now,
    }
    changed = ("key_id", "nonce", "ciphertext", "changed_at")
    db.upsert(session, CredentialRow, [row], key=("brand", "name"), replace=changed)


def _tell(
    session: Session,
    kind: EventKind,
    brand: str,
    name: str,
    actor: str,
    now: datetime,
    before: dict[str, str] | None = None,
    after: dict[str, str] | None = None,
) -> None:
    event = {"subject": name, "before": before, "after": after}
    record(session, brand, now, actor, kind, [event])
