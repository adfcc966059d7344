"""A fitted model as a file: numbers and a JSON header, never code.

The file is a `.npz` (a zip of arrays). `load` trusts nothing in it: sizes are checked before
anything is unpacked, pickles are refused, and every array must have the shape, the type and
the SHA-256 that the header names. Writing is reproducible byte by byte.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

DEFAULT_MODEL = Path(__file__).with_name("default.npz")
"""The model that is shipped. `model/CARD.md` says what it knows and what it doesn't."""

FORMAT = 2
FILE_LIMIT = 64 * 2**20
UNPACKED_LIMIT = 512 * 2**20
BITS_RANGE = range(8, 23)
_MEMBERS = ("header", "idf", "weights", "topics")
_DATE = (1980, 1, 1, 0, 0, 0)


class BadBundle(ValueError):
    """The file is no usable model. The message says which file, what is wrong, what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One task: its labels, in the order of their columns, and their intercepts."""

    task: str
    labels: tuple[str, ...]
    intercepts: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicCurve:
    """From a text's scores for a brand's topics to the probability that one fits.

    p = 1 / (1 + exp(-(slope * ln(score) + lead * ln(score / next) + offset))), where `next` is
    the best score of the other topics; below `threshold` no topic is given.
    """

    slope: float
    lead: float
    offset: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A topic learnt from labelled text: its name and from how many texts."""

    name: str
    texts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All of a bundle that is not an array."""

    bits: int
    heads: tuple[Head, ...]
    topic_curve: TopicCurve
    learnt: tuple[Learnt, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A fitted model.

    `idf` has one weight per column (2**bits). `weights` has one row per column and one
    column per label, the heads side by side, with the temperature multiplied in: a task's
    probabilities are the softmax of its scores. `topics` has one row per learnt topic.
    All are float16.
    """

    header: Header
    idf: NDArray[np.float16]
    weights: NDArray[np.float16]
    topics: NDArray[np.float16]

    @cached_property
    def sealed(self) -> Header:
        """The header with the digests of the arrays."""
        return replace(self.header, sha256={n: _digest(a) for n, a in self.arrays.items()})

    @cached_property
    def version(self) -> str:
        """A name for the content: the same numbers and provenance always have the same."""
        return f"linear-{hashlib.sha256(_to_json(self.sealed)).hexdigest()[:12]}"

    @property
    def arrays(self) -> dict[str, NDArray[np.float16]]:
        """The arrays by their name in the file."""
        return {"idf": self.idf, "weights": self.weights, "topics": self.topics}


def save(bundle: Bundle, path: Path) -> None:
    """Write `bundle` to `path`, replacing it whole or not at all."""
    buffer = io.BytesIO()
    members: dict[str, NDArray[Any]] = {
        "header": np.frombuffer(_to_json(bundle.sealed), np.uint8),
        **bundle.arrays,
    }
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name, array in members.items():
            raw = io.BytesIO()
            np.lib.format.write_array(raw, array, allow_pickle=False)
            # a fixed date: numpy's own savez would write the clock into the file
            file.writestr(
                zipfile.ZipInfo(f"{name}.npy", _DATE), raw.getvalue(), zipfile.ZIP_DEFLATED
            )
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(buffer.getvalue())
    partial.replace(path)


def load(path: Path) -> Bundle:
    """The model in the file at `path`. Raises BadBundle when it is not one, or not whole."""
    try:
        raw = _read(path)
        arrays = _unpack(raw)
        header = msgspec.json.decode(arrays.pop("header").tobytes(), type=Header)
        _check(header, arrays)
    except _BROKEN as error:
        raise BadBundle(
            f"{path} is not a usable model: {error}. Restore it, or train one with `earshot train`."
        ) from error
    return Bundle(header=header, **arrays)


_BROKEN = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error)


def _read(path: Path) -> bytes:
    if (size := path.stat().st_size) > FILE_LIMIT:
        raise ValueError(f"it has {size} bytes, more than the {FILE_LIMIT} allowed")
    return path.read_bytes()


def _unpack(raw: bytes) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        names = sorted(info.filename for info in file.infolist())
        if names != sorted(f"{name}.npy" for name in _MEMBERS):
            raise ValueError(f"it holds {', '.join(names[:8]) or 'nothing'}, not {_MEMBERS}")
        if (size := sum(info.file_size for info in file.infolist())) > UNPACKED_LIMIT:
            raise ValueError(f"it unpacks to {size} bytes, more than the {UNPACKED_LIMIT} allowed")
        return {
            name: np.lib.format.read_array(io.BytesIO(file.read(f"{name}.npy")), allow_pickle=False)
            for name in _MEMBERS
        }


def _check(header: Header, arrays: Mapping[str, NDArray[Any]]) -> None:
    if header.format != FORMAT:
        raise ValueError(f"its format is {header.format}; this release reads {FORMAT}")
    if header.bits not in BITS_RANGE:
        raise ValueError(f"bits is {header.bits}, not in {BITS_RANGE.start}..{BITS_RANGE.stop - 1}")
    for head in header.heads:
        if not head.labels or len(head.labels) != len(head.intercepts):
            raise ValueError(
                f"task {head.task!r} has {len(head.labels)} labels and "
                f"{len(head.intercepts)} intercepts"
            )
    columns = 1 << header.bits
    shapes = {
        "idf": (columns,),
        "weights": (columns, sum(len(head.labels) for head in header.heads)),
        "topics": (len(header.learnt), columns),
    }
    for name, shape in shapes.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != np.float16:
            raise ValueError(f"{name} is {array.dtype}{array.shape}, expected float16{shape}")
        if _digest(array) != header.sha256.get(name):
            raise ValueError(f"the SHA-256 of {name} is not the one in the header")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _to_json(header: Header) -> bytes:
    return msgspec.json.encode(header, order="deterministic")
