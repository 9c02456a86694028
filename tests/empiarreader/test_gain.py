"""Gain references: orientation, multiply or divide, and the check that makes images flat."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import Any, get_args

import dask.array
import mrcfile
import numpy as np
import pytest
import tifffile
import xarray

from eer_files import eer_bytes, random_electrons
from empiarreader import (
    GainOrientation,
    GainWarning,
    InvalidRequestError,
    ShapeMismatchError,
    apply_gain,
    check_gain,
    open_gain,
    open_image,
)
from empiarreader.flatness import ORIENTATIONS
from empiarreader.gainfactor import Flip

RNG = np.random.default_rng(3)
FLIPS = get_args(Flip)


def _array(values: Any, **attrs: Any) -> xarray.DataArray:
    dims = ("frame", "y", "x")[-np.ndim(values) :]
    return xarray.DataArray(values, dims=dims, attrs=attrs)


def _turn_by_index(gain: np.ndarray[Any, Any], turns: int, flip: str) -> np.ndarray[Any, Any]:
    """Turn pixel by pixel: a quarter turn clockwise moves the first row to the last column."""
    for _ in range(turns % 4):
        rows, columns = gain.shape
        turned = np.empty((columns, rows), gain.dtype)
        for y, x in itertools.product(range(rows), range(columns)):
            turned[x, rows - 1 - y] = gain[y, x]
        gain = turned
    rows, columns = gain.shape
    result = np.empty_like(gain)
    for y, x in itertools.product(range(rows), range(columns)):
        result[rows - 1 - y if flip == "up_down" else y, columns - 1 - x if flip == "left_right" else x] = (
            gain[y, x]
        )
    return result


@pytest.mark.parametrize("turns", [-1, 0, 1, 2, 3, 4])
@pytest.mark.parametrize("flip", FLIPS)
def test_a_gain_is_turned_clockwise_and_then_flipped(turns: int, flip: Flip) -> None:
    gain = np.arange(12).reshape(3, 4)

    np.testing.assert_array_equal(
        GainOrientation(quarter_turns=turns, flip=flip).turn(gain), _turn_by_index(gain, turns, flip)
    )


def test_the_eight_orientations_are_all_different_and_all_there_are() -> None:
    gain = np.arange(9).reshape(3, 3)
    eight = {way.turn(gain).tobytes() for way in ORIENTATIONS}
    every = {
        GainOrientation(quarter_turns=turns, flip=flip).turn(gain).tobytes()
        for turns in range(4)
        for flip in FLIPS
    }

    assert len(eight) == 8
    assert eight == every


def test_gains_multiply_or_divide_and_dead_pixels_are_zero() -> None:
    movie = _array(np.full((3, 2, 2), 8, np.uint16))
    gain = _array(np.array([[0.5, 2.0], [0.0, np.nan]], np.float32))

    np.testing.assert_array_equal(apply_gain(movie, gain)[1], [[4, 16], [0, 0]])
    np.testing.assert_array_equal(apply_gain(movie, gain, operation="divide")[1], [[16, 4], [0, 0]])
    np.testing.assert_array_equal(apply_gain(movie, gain, operation="none")[1], movie[1])
    assert apply_gain(movie, gain).dtype == np.float32


def test_eer_movies_are_divided_unless_the_gain_is_one_of_epu() -> None:
    movie = _array(np.full((1, 1, 2), 6.0), format="EER")
    other, epu = (
        _array(np.array([[1.0, 3.0]]), filename="g.mrc"),
        _array(np.array([[1.0, 3.0]]), filename="g.gain"),
    )

    # Both are scaled to a mean of 1: electrons stay electrons.
    np.testing.assert_allclose(apply_gain(movie, other).values, [[[12, 4]]])
    np.testing.assert_allclose(apply_gain(movie, epu).values, [[[3, 9]]])
    np.testing.assert_allclose(apply_gain(movie, epu, operation="divide").values, [[[12, 4]]])
    wide = _array(np.full((1, 1, 4), 6.0), format="EER")
    for filename, expected in (("g.mrc", [12, 0, 4, 0]), ("g.gain", [3, 0, 9, 0])):
        defects = _array(np.array([[1.0, 0.0, 3.0, np.nan]]), filename=filename)  # count for no mean
        np.testing.assert_allclose(apply_gain(wide, defects).values, [[expected]])


def test_nothing_is_computed_before_it_is_asked_for() -> None:
    def refuse(block: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        raise AssertionError("computed")

    pixels = dask.array.ones((4, 6, 6), chunks=(1, 6, 6), dtype=np.uint8)
    movie = _array(pixels.map_blocks(refuse, dtype=np.uint8), filename="a.tif").assign_coords(
        y=np.arange(6) * 1.5
    )
    lazy = apply_gain(movie, _array(np.ones((6, 6), np.float32)))

    assert lazy.chunks == movie.chunks
    assert lazy.attrs == movie.attrs
    np.testing.assert_array_equal(lazy.y, movie.y)
    with pytest.raises(AssertionError, match="computed"):
        lazy[0].compute()


@pytest.mark.parametrize("stored", ["u1", "i4", "f2", "f8"])
def test_what_a_gain_makes_of_any_movie_is_float32(stored: str) -> None:
    movie = _array(np.full((2, 4, 4), 3, stored))
    assert apply_gain(movie, _array(np.full((4, 4), 2.0))).dtype == np.float32


def test_gains_of_half_and_twice_the_size_fit() -> None:
    movie = _array(np.ones((1, 4, 4)))
    coarse = _array(np.array([[1.0, 2.0], [3.0, 4.0]]))
    fine = _array(np.arange(64.0).reshape(8, 8) + 1)

    np.testing.assert_array_equal(apply_gain(movie, coarse)[0], np.kron(coarse, np.ones((2, 2))))
    np.testing.assert_allclose(apply_gain(movie, fine)[0, 0, 0], (1 + 2 + 9 + 10) / 4)
    with pytest.raises(ShapeMismatchError, match="quarter turns"):
        apply_gain(movie, _array(np.ones((4, 6))))
    with pytest.raises(InvalidRequestError):
        GainOrientation(flip="sideways")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestError):
        apply_gain(movie, coarse, operation="add")  # type: ignore[arg-type]


def _movie_under(gain: np.ndarray[Any, Any], way: GainOrientation, *, divided: bool) -> xarray.DataArray:
    """Return counts of an even beam on a detector for which the gain, so turned, makes up."""
    turned = way.turn(gain)
    rate = 20 * (turned if divided else 1 / turned)
    shade = 1 + 0.02 * np.linspace(-1, 1, rate.shape[0])[:, None]
    return _array(RNG.poisson(rate * shade, (20, *rate.shape)).astype(np.uint16), filename="m.tif")


@pytest.mark.parametrize("divided", [False, True])
@pytest.mark.parametrize("way", ORIENTATIONS)
def test_the_check_finds_how_the_gain_was_applied(way: GainOrientation, divided: bool) -> None:
    gain = RNG.normal(1, 0.05, (64, 64)).clip(0.7, 1.3)
    gain[10, 20] = 0
    movie = _movie_under(np.where(gain, gain, 1), way, divided=divided)
    operation: Any = "divide" if divided else "multiply"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = check_gain(movie, _array(gain), orientation=way, operation=operation)

    assert found.best == (way, operation)
    assert found.is_flattest
    wrong = ORIENTATIONS[(ORIENTATIONS.index(way) + 3) % 8]
    with pytest.warns(
        GainWarning, match=rf"{operation} .*quarter_turns={way.quarter_turns}, flip='{way.flip}'"
    ):
        apply_gain(movie, _array(gain), orientation=wrong, operation=operation, check=True)


def test_a_movie_that_was_corrected_already_is_flattest_without() -> None:
    gain = RNG.normal(1, 0.05, (64, 48)).clip(0.7, 1.3)
    movie = _array(RNG.poisson(20.0, (20, 64, 48)).astype(np.uint8), filename="m.tif")
    with pytest.warns(GainWarning, match="flatter without"):
        found = check_gain(movie, _array(gain))

    assert found.best[1] == "none"
    assert len(found.others) == 8  # four orientations fit, two operations each


def test_no_more_frames_are_read_than_asked_for() -> None:
    seen = []

    def note(block: np.ndarray[Any, Any], block_info: Any = None) -> np.ndarray[Any, Any]:
        if block_info:
            seen.append(block_info[0]["chunk-location"][0])
        return block

    pixels = dask.array.ones((30, 8, 8), chunks=(1, 8, 8)).map_blocks(
        note, dtype=float, meta=np.empty((0, 0, 0))
    )
    check_gain(_array(pixels), _array(np.ones((8, 8))), frames=4)

    assert sorted(set(seen)) == [0, 9, 19, 29]


def test_gains_are_read_from_tiff_and_mrc(tmp_path: Path) -> None:
    gain = RNG.normal(1, 0.1, (12, 10)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.gain", gain)
    with mrcfile.new(tmp_path / "a.mrc", gain[None]) as mrc:
        mrc.set_volume()
    for name in ("a.gain", "a.mrc"):
        found = open_gain(tmp_path / name)
        np.testing.assert_array_equal(found.values, gain)
        assert found.dims == ("y", "x")
    with mrcfile.new(tmp_path / "b.mrc", np.zeros((2, 2, 3, 3), np.float32)):
        pass
    with pytest.raises(ShapeMismatchError):
        open_gain(tmp_path / "b.mrc")


def _as_relion_reads(path: Path) -> np.ndarray[Any, Any]:
    """Return the pixels of a file as RELION has them in memory: what it reads as TIFF, the last row first."""
    if path.suffix == ".mrc":
        with mrcfile.open(path) as mrc:
            return np.array(mrc.data)
    pixels = tifffile.imread(path)
    return pixels if path.suffix == ".gain" else pixels[..., ::-1, :]  # which it turns over once more


@pytest.mark.parametrize("way", [GainOrientation(), *ORIENTATIONS[1:3], ORIENTATIONS[7]], ids=str)
@pytest.mark.parametrize("gain_name", ["g.mrc", "g.tif"])
@pytest.mark.parametrize("movie_name", ["m.mrc", "m.tif"])
def test_a_gain_lies_on_a_movie_as_it_does_in_relion(
    tmp_path: Path, movie_name: str, gain_name: str, way: GainOrientation
) -> None:
    pixels, gain = RNG.integers(1, 9, (2, 6, 6)).astype(np.uint8), RNG.normal(1, 0.1, (6, 6))
    for name, values in ((movie_name, pixels), (gain_name, gain.astype(np.float32))):
        if name.endswith(".tif"):
            tifffile.imwrite(tmp_path / name, values, photometric="minisblack")
        else:
            mrcfile.write(tmp_path / name, values.astype(np.int8) if values.ndim > 2 else values)
    ours = apply_gain(open_image(tmp_path / movie_name), open_gain(tmp_path / gain_name), orientation=way)

    relion = _as_relion_reads(tmp_path / movie_name) * _turn_by_index(
        _as_relion_reads(tmp_path / gain_name), way.quarter_turns, way.flip
    )
    np.testing.assert_allclose(ours, relion[:, ::-1] if movie_name == "m.tif" else relion, rtol=1e-6)


@pytest.mark.parametrize("gain_name", ["g.gain", "g.tif", "g.mrc"])
def test_a_gain_lies_on_an_eer_movie_as_it_does_in_relion(tmp_path: Path, gain_name: str) -> None:
    frames = [random_electrons(RNG, 16, 90)]
    (tmp_path / "m.eer").write_bytes(eer_bytes(frames, 16))
    gain = RNG.normal(1, 0.1, (16, 16)).astype(np.float32)
    if gain_name == "g.mrc":
        mrcfile.write(tmp_path / gain_name, gain)
    else:
        tifffile.imwrite(tmp_path / gain_name, gain)
    movie = open_image(tmp_path / "m.eer")

    theirs = _as_relion_reads(tmp_path / gain_name)
    factor = theirs / theirs.mean() if gain_name == "g.gain" else theirs.mean() / theirs
    np.testing.assert_allclose(
        apply_gain(movie, open_gain(tmp_path / gain_name)), movie.values * factor, rtol=1e-5
    )


def test_the_check_speaks_of_orientations_as_relion_does(tmp_path: Path) -> None:
    gain = RNG.normal(1, 0.05, (64, 64)).clip(0.7, 1.3).astype(np.float32)
    counts = RNG.poisson(20 / np.flipud(gain), (20, 64, 64)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "m.tif", counts, photometric="minisblack")
    mrcfile.write(tmp_path / "g.mrc", gain)

    found = check_gain(open_image(tmp_path / "m.tif"), open_gain(tmp_path / "g.mrc"))
    assert found.best == (GainOrientation(), "multiply")
