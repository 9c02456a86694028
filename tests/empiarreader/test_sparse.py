"""A file of which a few pieces are at hand reads as the whole of it does, and fetches no more than it may."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import DamagedDataError
from empiarreader.bytefiles import open_bytes
from empiarreader.images.sparse import BegunFile, SparseFile

BODY = bytes(k * k % 251 for k in range(20_000))
PLACES = st.integers(0, len(BODY))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sparse") / "a.bin"
    path.write_bytes(BODY)
    return path


@given(
    st.lists(st.tuples(PLACES, st.integers(0, 9000)), max_size=4),
    st.lists(st.tuples(PLACES, st.integers(-1, 9000)), max_size=6),
)
def test_whatever_is_at_hand_the_same_bytes_are_read(
    path: Path, pieces: list[tuple[int, int]], reads: list[tuple[int, int]]
) -> None:
    file = open_bytes(path)
    at_hand = [(start, BODY[start : start + length]) for start, length in pieces]
    sparse = SparseFile(file, file.version(), pieces=at_hand)
    for start, length in [*reads, *((start + length - 1, 2) for start, length in pieces if length)]:
        sparse.seek(start)
        assert sparse.read(length) == (BODY[start:] if length < 0 else BODY[start : start + length])
        assert sparse.tell() == max(start, min(len(BODY), start + length if length >= 0 else len(BODY)))


@given(PLACES, st.lists(st.tuples(PLACES, st.integers(0, 5000)), min_size=1, max_size=4))
def test_what_a_file_begins_with_serves_spans_that_lie_in_it(
    begun: int, spans: list[tuple[int, int]]
) -> None:
    inside = [(start, min(length, len(BODY) - start)) for start, length in spans]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.bin"
        path.write_bytes(BODY)
        file = open_bytes(path)
        version = file.version()
        view = bytearray(sum(length for _, length in inside))
        BegunFile(file, BODY[:begun]).spans(inside, memoryview(view), version=version)

    assert bytes(view) == b"".join(BODY[start : start + length] for start, length in inside)


def test_a_description_that_never_ends_is_not_fetched(path: Path) -> None:
    file = open_bytes(path)
    sparse = SparseFile(file, file.version(), pieces=[(0, BODY[:100])], limit_bytes=8000)
    sparse.seek(100)
    assert sparse.read(5000) == BODY[100:5100]
    assert [(start, len(data)) for start, data in sparse.missed] == [(100, 5000)]
    with pytest.raises(DamagedDataError, match="too long to be true"):
        sparse.read(3001)


def test_what_may_not_be_fetched_while_it_is_read_is_fetched_afterwards(path: Path) -> None:
    file = open_bytes(path)
    sparse = SparseFile(file, file.version(), pieces=[(0, BODY[:100])], fetches_later=True)
    assert not sparse.supply()
    sparse.seek(90)
    with pytest.raises(OSError, match="20 bytes at 90"):
        sparse.read(20)
    assert sparse.supply()
    assert sparse.read(20) == BODY[90:110]
    assert not sparse.supply()
