"""The master keys of stored credentials: from the settings, or from a file in the home folder."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from earshot.secrets.sealing import KEY_BYTES, CredentialError, KeyRing, read_ring, write_ring
from earshot.settings import Settings

FILE_NAME = "credential_keys"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def place(settings: Settings) -> Path:
    """The file that holds the keys, unless the settings hold them."""
    given = settings.credentials.file
    return settings.resolve(given) if given else settings.home_path / FILE_NAME


def load(settings: Settings) -> KeyRing:
    """The keys in force. Raises CredentialError that says where there should be some."""
    if settings.credentials.keys:
        return read_ring(settings.credentials.keys, "credentials.keys")
    path = place(settings)
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read()
    except FileNotFoundError as error:
        raise CredentialError(
            f"{path}: there are no master keys here. Put back the file that stored credentials "
            "were sealed with, name it in credentials.file, or set EARSHOT_CREDENTIALS__KEYS; "
            "the first `earshot credential set` makes one"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialError(f"{path}: the master keys can't be read ({error})") from error
    if mode & _OTHERS:
        raise CredentialError(
            f"{path}: others than its owner may use this file (mode {stat.S_IMODE(mode):o}); "
            f"run `chmod 600 {path}`"
        )
    return read_ring(text, str(path))


def load_or_make(settings: Settings) -> KeyRing:
    """As `load`, but where nothing was set and no file is there, a file with a new key is made."""
    path = place(settings)
    if settings.credentials.keys or settings.credentials.file or path.exists():
        return load(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _written(path, KeyRing(_new_key()))
    try:
        path.hardlink_to(made)  # fails where another process was first: its key is kept
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return load(settings)


def add_key(settings: Settings) -> KeyRing:
    """Put a new key before those of the file; the ring with it. Raises CredentialError.

    The old keys stay: backups are sealed with them.
    """
    if settings.credentials.keys:
        raise CredentialError(
            "the keys are in credentials.keys, which only you can change: write a new one before "
            "the others there, restart the roles, and run `earshot credential rotate`"
        )
    ring, path = load(settings), place(settings)
    longer = KeyRing({**_new_key(), **ring.keys})
    _written(path, longer).replace(path)
    return longer


def _new_key() -> dict[str, bytes]:
    """A key under a name that no other installation uses, so that a mix-up is told by name."""
    return {secrets.token_hex(4): secrets.token_bytes(KEY_BYTES)}


def _written(path: Path, ring: KeyRing) -> Path:
    """The keys in a new file beside `path`, which nobody else could read at any moment."""
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(write_ring(ring))
        file.flush()
        os.fsync(file.fileno())
    return made
