"""Slices of slices of files: the same values as numpy's, and no more of the file than they need."""

from __future__ import annotations

import pickle
from typing import Any

import dask.array
import numpy as np
import pytest
import xarray
from dask.callbacks import Callback
from hypothesis import given
from hypothesis import strategies as st

from empiarreader.lazyarrays import LazyArray, lazy_array

SHAPE = (5, 12, 9)
WHOLE = np.arange(5 * 12 * 9, dtype=np.int32).reshape(SHAPE)


class _Recorded:
    """Something readable that remembers what was read."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = SHAPE
        self.dtype: np.dtype[Any] = WHOLE.dtype
        self.regions: list[tuple[slice, ...]] = []

    def read(self, region: tuple[slice, ...]) -> np.ndarray[Any, Any]:
        assert all(part.step is None and 0 <= part.start <= part.stop for part in region)
        self.regions.append(region)
        return WHOLE[region]


def _lazy() -> tuple[_Recorded, LazyArray]:
    source = _Recorded()
    return source, lazy_array(source, (1, 12, 9), "token")


@st.composite
def _indices(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Any, ...]:
    parts: list[Any] = []
    for length in shape[: draw(st.integers(0, len(shape)))]:
        numbers = st.integers(-length, length - 1) if length else st.nothing()
        parts.append(draw(st.slices(length) | numbers))
    place = draw(st.integers(0, len(parts)))
    return (*parts[:place], Ellipsis, *parts[place:]) if len(parts) == place else tuple(parts)


@given(data=st.data(), times=st.integers(1, 3))
def test_slices_of_slices_equal_those_of_numpy(data: st.DataObject, times: int) -> None:
    source, lazy = _lazy()
    expected: Any = WHOLE
    found: Any = lazy
    for _ in range(times):
        index = data.draw(_indices(expected.shape))
        found, expected = found[index], expected[index]

    assert isinstance(found, LazyArray)
    assert source.regions == []
    assert found.shape == expected.shape
    computed: Any = found.compute()  # type: ignore[no-untyped-call]
    np.testing.assert_array_equal(computed, expected)
    # Nothing moves that lies outside the span of the rows that were asked for.
    rows = np.unique(np.atleast_1d(expected) // 9 % 12)
    read = [region[1] for region in source.regions if WHOLE[region].size]
    assert all(rows.min() <= part.start and part.stop <= rows.max() + 1 for part in read)


def test_the_slice_of_a_slice_reads_its_rows_only() -> None:
    source, lazy = _lazy()
    lazy[3][2:10][4:6].compute()

    assert source.regions == [(slice(3, 4), slice(6, 8), slice(0, 9))]


def test_slices_through_xarray_stay_slices() -> None:
    source, lazy = _lazy()
    image = xarray.DataArray(lazy, dims=("frame", "y", "x"), coords={"y": np.arange(12) * 2.0})
    part = image[1].sel(y=slice(4.0, 12.0)).isel(y=slice(1, 3), x=-1)

    np.testing.assert_array_equal(part.values, WHOLE[1, 3:5, -1])
    assert source.regions == [(slice(1, 2), slice(3, 5), slice(8, 9))]


def test_what_is_done_with_a_lazy_array_is_dask_s() -> None:
    lazy: Any = _lazy()[1]
    concatenate: Any = dask.array.concatenate
    both = concatenate([lazy[0], lazy[1][::-1] * 2])

    np.testing.assert_array_equal(both.compute(), np.concatenate([WHOLE[0], WHOLE[1][::-1] * 2]))
    np.testing.assert_array_equal(lazy.rechunk((5, 4, 9)).sum(axis=0).compute(), WHOLE.sum(axis=0))
    np.testing.assert_array_equal(lazy[[0, 3]][:, [2, 1]].compute(), WHOLE[[0, 3]][:, [2, 1]])
    np.testing.assert_array_equal(lazy[None, 2, :, None].compute(), WHOLE[None, 2, :, None])
    np.testing.assert_array_equal(lazy[lazy > 500].compute(), WHOLE[WHOLE > 500])
    np.testing.assert_array_equal(lazy.persist()[1, 2].compute(), WHOLE[1, 2])


def test_one_chunk_comes_into_memory_without_a_second_copy() -> None:
    _, lazy = _lazy()
    values = np.asarray(lazy[1, 2:4], dtype=lazy.dtype)

    np.testing.assert_array_equal(values, WHOLE[1, 2:4])
    assert np.shares_memory(values, WHOLE)  # what the source returned, itself
    np.testing.assert_array_equal(np.asarray(lazy), WHOLE)
    assert np.asarray(lazy[1], dtype=np.float64).dtype == np.float64


def test_who_watches_dask_sees_the_one_chunk_too() -> None:
    _, lazy = _lazy()
    seen: list[Any] = []
    with Callback(pretask=lambda key, *_: seen.append(key)):  # type: ignore[no-untyped-call]
        np.testing.assert_array_equal(np.asarray(lazy[1]), WHOLE[1])

    assert seen


def test_a_pickled_array_still_puts_slices_together() -> None:
    _, lazy = _lazy()
    copy = pickle.loads(pickle.dumps(lazy[1:]))

    np.testing.assert_array_equal(copy[2][1:4][1:].compute(), WHOLE[1:][2][1:4][1:])
    assert isinstance(copy[2][1:4], LazyArray)


def test_names_tell_slices_and_contents_apart() -> None:
    _, lazy = _lazy()
    other = lazy_array(_Recorded(), (1, 12, 9), "other")

    assert len({lazy.name, lazy[1:].name, lazy[1:][1:].name, lazy[2:].name, other.name}) == 4
    with pytest.raises(IndexError):
        lazy[5]
    with pytest.raises(IndexError):
        lazy[0, 0, 0, 0]
