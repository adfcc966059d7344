from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from classifier.model.bundle import DEFAULT_MODEL, BadBundle, Bundle, Head, load, save

SIZE_LIMIT = 3 * 2**20


@pytest.fixture
def file(tmp_path: Path, small: Bundle) -> Path:
    path = tmp_path / "model.npz"
    save(small, path)
    return path


def test_a_bundle_survives_the_file(file: Path, small: Bundle) -> None:
    read = load(file)
    assert read.header == small.sealed
    assert read.version == small.version
    for name, array in small.arrays.items():
        np.testing.assert_array_equal(read.arrays[name], array)


def test_the_same_bundle_is_the_same_file(file: Path, small: Bundle, tmp_path: Path) -> None:
    again = tmp_path / "again.npz"
    save(small, again)
    assert again.read_bytes() == file.read_bytes()
    save(load(file), again)
    assert again.read_bytes() == file.read_bytes()


def test_any_change_is_another_version(small: Bundle) -> None:
    weights = small.weights.copy()
    weights[0, 0] += 1
    others = [
        replace(small, weights=weights),
        replace(small, header=replace(small.header, provenance={"by": "somebody else"})),
    ]
    assert len({small.version, *(other.version for other in others)}) == 3


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 0.999))
def test_a_truncated_file_is_refused(file: Path, tmp_path: Path, share: float) -> None:
    raw = file.read_bytes()
    cut = tmp_path / "cut.npz"
    cut.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(BadBundle, match=r"cut\.npz is not a usable model"):
        load(cut)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_corrupted_file_is_refused_or_means_the_same(
    file: Path, small: Bundle, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(file.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    bad = tmp_path / "bad.npz"
    bad.write_bytes(raw)
    try:
        read = load(bad)
    except BadBundle:
        return
    assert read.version == small.version


def _rewritten(file: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(file) as old:
        found = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(file, "w") as new:
        for name, raw in {**found, **members}.items():
            new.writestr(name, raw)
    return file


def _npy(array: np.ndarray, *, pickle: bool = False) -> bytes:
    raw = io.BytesIO()
    np.lib.format.write_array(raw, array, allow_pickle=pickle)
    return raw.getvalue()


def test_a_pickle_is_never_read(file: Path) -> None:
    evil = _npy(np.array([{"code": 1}], dtype=object), pickle=True)
    with pytest.raises(BadBundle, match="allow_pickle=False"):
        load(_rewritten(file, {"idf.npy": evil}))


def test_other_numbers_than_the_header_names_are_refused(file: Path, small: Bundle) -> None:
    with pytest.raises(BadBundle, match="SHA-256 of idf"):
        load(_rewritten(file, {"idf.npy": _npy(small.idf + np.float16(1))}))


def test_another_shape_is_refused(file: Path, small: Bundle) -> None:
    with pytest.raises(BadBundle, match=r"idf is float16\(10,\), expected float16\(4096,\)"):
        load(_rewritten(file, {"idf.npy": _npy(small.idf[:10])}))


def test_a_stranger_in_the_file_is_refused(file: Path) -> None:
    with pytest.raises(BadBundle, match=r"evil\.npy"):
        load(_rewritten(file, {"evil.npy": b"1"}))


def test_a_header_of_another_shape_is_refused(file: Path) -> None:
    header = np.frombuffer(b'{"bits": "many"}', np.uint8)
    with pytest.raises(BadBundle, match=r"Expected `int`, got `str` - at `\$\.bits`"):
        load(_rewritten(file, {"header.npy": _npy(header)}))


def test_a_file_that_unpacks_to_too_much_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("classifier.model.bundle.UNPACKED_LIMIT", 1000)
    with pytest.raises(BadBundle, match="unpacks to"):
        load(file)


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, small: Bundle) -> None:
    idf = small.idf.copy()
    idf[3] = np.nan
    save(replace(small, idf=idf), tmp_path / "nan.npz")
    with pytest.raises(BadBundle, match="not finite"):
        load(tmp_path / "nan.npz")


def test_a_head_with_as_many_intercepts_as_labels_is_needed(tmp_path: Path, small: Bundle) -> None:
    heads = (Head(task="spam", labels=("ham", "spam"), intercepts=(0.0,)),)
    save(replace(small, header=replace(small.header, heads=heads)), tmp_path / "short.npz")
    with pytest.raises(BadBundle, match="2 labels and 1 intercepts"):
        load(tmp_path / "short.npz")


def test_a_missing_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match=r"none\.npz.*No such file.*earshot train"):
        load(tmp_path / "none.npz")


def test_the_shipped_model_is_small_and_whole(shipped: Bundle) -> None:
    assert DEFAULT_MODEL.stat().st_size <= SIZE_LIMIT
    assert {head.task for head in shipped.header.heads} == {"sentiment", "intent", "spam"}
