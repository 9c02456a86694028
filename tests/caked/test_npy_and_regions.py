"""Numpy files, regions, and reading into memory that is there already."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from caked.errors import DamagedFileError, InvalidOptionError, RefusedFileError, ShapeError
from caked.io.layout import read_layout
from caked.io.read import read_array, read_sections, whole_region
from caked.io.write import replacing, write_mrc, write_npy
from mrc_vectors import mrc_bytes, sample_array


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i2", "u1", "?", "<c16", ">u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numeric_numpy_files_of_any_byte_and_axis_order_are_read(
    dtype: str, order: str, tmp_path: Path
) -> None:
    values = (np.arange(24).reshape(2, 3, 4) % 7).astype(dtype, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", values)
    layout = read_layout(tmp_path / "a.npy")
    array = read_array(tmp_path / "a.npy", layout)

    assert array.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(array, values)
    np.testing.assert_array_equal(
        read_array(tmp_path / "a.npy", layout, (slice(1, 2), slice(0, 2))), values[1:2, :2]
    )


def test_pickled_objects_and_records_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "sprung"),)

    np.save(tmp_path / "trap.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.save(tmp_path / "records.npy", np.zeros(2, dtype=[("a", "f4")]))

    with pytest.raises(RefusedFileError, match=r"trap\.npy holds object, and only numbers are read"):
        read_layout(tmp_path / "trap.npy")
    with pytest.raises(
        RefusedFileError, match=r"records\.npy holds records with the columns a, and no image"
    ):
        read_layout(tmp_path / "records.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("keep", [7, 40, 128, 140])
def test_a_numpy_file_that_breaks_off_is_reported_as_damaged(keep: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(10.0))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:keep])

    with pytest.raises(DamagedFileError, match=r"a\.npy is corrupted\.$"):
        read_layout(tmp_path / "a.npy")


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.floats(-9, 9, width=32)
    ),
    st.data(),
)
def test_a_region_is_what_indexing_gives(values: np.ndarray, data: st.DataObject) -> None:
    import tempfile

    bounds = st.integers(-8, 8) | st.none()
    region = tuple(
        slice(data.draw(bounds), data.draw(bounds)) for _ in range(data.draw(st.integers(0, values.ndim)))
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.npy"
        np.save(path, values)
        np.testing.assert_array_equal(read_array(path, read_layout(path), region), values[region])


def test_a_step_or_too_many_slices_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="step 1"):
        whole_region((slice(0, 4, 2),), (4,))
    with pytest.raises(InvalidOptionError, match="does not fit"):
        whole_region((slice(None),) * 3, (4, 4))


def test_values_are_converted_into_the_array_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(sample_array(1), mode=1))
    out = np.zeros((3, 4, 5), dtype=np.float32)

    assert read_array(path, read_layout(path), out=out) is out
    np.testing.assert_array_equal(out, sample_array(1))
    with pytest.raises(ShapeError, match=r"shape \(3, 4, 5\)"):
        read_array(path, read_layout(path), out=out[:2])


def test_complex_values_are_not_cut_to_their_real_part(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(sample_array(4), mode=4))

    with pytest.raises(ShapeError, match="half of each would be lost"):
        read_array(path, read_layout(path), out=np.zeros((3, 4, 5), dtype=np.float32))


@pytest.mark.parametrize("mode", [2, 12, 101])
@given(sections=st.lists(st.integers(0, 6), max_size=12))
def test_sections_are_read_in_any_order_and_more_than_once(mode: int, sections: list[int]) -> None:
    import tempfile

    values = sample_array(mode, (7, 3, 5))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mrcs"
        path.write_bytes(mrc_bytes(values, mode=mode))
        out = np.zeros((len(sections), 3, 5), dtype=np.float32)
        read_sections(path, read_layout(path), sections, list(out))

    np.testing.assert_array_equal(out, values[sections])


@pytest.mark.parametrize("shape", [(6, 4), (3, 6, 4)])
def test_what_is_written_is_read_back_with_its_pixel_size(shape: tuple[int, ...], tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=shape)
    voxel = (3.0, 2.0, 1.5)[-len(shape) :]
    path = write_mrc(tmp_path / "new" / "a.mrc", values, voxel_size=voxel)
    layout = read_layout(path)

    assert layout.voxel_size[-len(shape) :] == pytest.approx(voxel)
    np.testing.assert_array_equal(read_array(path, layout), values.astype(np.float32))
    np.testing.assert_array_equal(np.load(write_npy(tmp_path / "a.npy", values)), values)


def test_a_write_that_fails_leaves_what_was_there_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def fail() -> None:
        with replacing(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "before"


def test_arrays_that_mrc_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="images and volumes"):
        write_mrc(tmp_path / "a.mrc", np.zeros(4, dtype=np.float32))
    assert list(tmp_path.iterdir()) == []
