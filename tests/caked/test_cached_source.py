"""A cached source reads each sample once, and gives what its source gives."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caked.errors import InvalidOptionError
from caked.sources.arrays import ArraySource
from caked.sources.base import source_from_dict
from caked.sources.cached import CachedSource

IMAGES = np.arange(10 * 4 * 6, dtype=np.float32).reshape(10, 4, 6)


class Counted(ArraySource):
    """An array that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__(IMAGES)
        self.asked: list[int] = []

    def read(self, i: int, region: Any = None, out: Any = None) -> Any:
        self.asked.append(i)
        return super().read(i, region, out)

    def read_batch(self, indices: Any, out: Any = None) -> Any:
        self.asked += list(indices)
        return super().read_batch(indices, out)


@given(st.lists(st.lists(st.integers(-10, 9), min_size=1, max_size=6), max_size=6), st.integers(0, 1000))
@settings(max_examples=50)
def test_batches_are_those_of_the_source_and_no_sample_is_read_twice(
    batches: list[list[int]], max_bytes: int
) -> None:
    inner = Counted()
    unlimited, limited = CachedSource(inner), CachedSource(IMAGES, max_bytes=max_bytes)
    for indices in batches:
        np.testing.assert_array_equal(unlimited.read_batch(indices), IMAGES[indices])
        np.testing.assert_array_equal(limited.read_batch(indices), IMAGES[indices])

    assert len(inner.asked) == len(set(inner.asked))
    assert limited.kept_bytes <= max_bytes


def test_a_region_is_cut_from_what_is_kept_and_otherwise_not_kept() -> None:
    inner = Counted()
    source = CachedSource(inner)
    region = (slice(1, 3), slice(2, 5))

    np.testing.assert_array_equal(source.read(3, region), IMAGES[3, 1:3, 2:5])
    assert source.kept_bytes == 0
    source.read(3)
    np.testing.assert_array_equal(source.read(3, region), IMAGES[3, 1:3, 2:5])
    assert inner.asked == [3, 3]


def test_what_was_returned_can_be_written_to_without_harm() -> None:
    source = CachedSource(IMAGES)
    source.read(0)[...] = -1
    source.read_batch([1, 2])[...] = -1

    np.testing.assert_array_equal(source.read_batch([0, 1, 2]), IMAGES[:3])


def test_threads_share_one_cache() -> None:
    source = CachedSource(IMAGES)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(source.read, [i % 10 for i in range(200)]))

    for k, image in enumerate(results):
        np.testing.assert_array_equal(image, IMAGES[k % 10])
    assert source.kept_bytes == IMAGES.nbytes


def test_a_pickle_holds_the_source_and_not_what_was_kept() -> None:
    source = CachedSource(IMAGES)
    empty = len(pickle.dumps(source))
    source.read_batch(range(10))
    copy = pickle.loads(pickle.dumps(source))

    assert len(pickle.dumps(source)) == empty
    assert copy.kept_bytes == 0
    np.testing.assert_array_equal(copy.read(7), IMAGES[7])


def test_it_is_made_again_from_its_description(tmp_path: Any) -> None:
    from caked.sources.files import FileSource

    np.save(tmp_path / "a_1.npy", IMAGES[0])
    source = CachedSource(FileSource(tmp_path), max_bytes=77)
    again = source_from_dict(source.to_dict())

    assert isinstance(again, CachedSource)
    assert again.max_bytes == 77
    assert list(again.names) == list(source.names)
    assert again.digest() == source.digest()


def test_a_negative_limit_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="0 bytes or more"):
        CachedSource(IMAGES, max_bytes=-1)
